internal import FastCGI
internal import Offload
internal import Registry

/// The bytes of a blob that a client asks for.
enum WantedBytes: Sendable {
  /// All, with a 200.
  case whole
  /// All, with a 206: `bytes=0-`, which parallel clients send first.
  case fromStart
  case part(ByteRange)

  init(_ exchange: BlobExchange, _ proof: BlobProof) {
    let range = exchange.request.withParameter("HTTP_RANGE") { ByteRange(field: $0) } ?? nil
    guard exchange.blob.range == .single, let range else {
      self = .whole
      return
    }
    // If-Range: the client wants the range only if it has a part of this very blob, and else all. RFC 9110 §13.1.5.
    if let validator = exchange.blob.ifRange, !proof.isOf(validator) {
      self = .whole
    } else {
      self = range.isWhole ? .fromStart : .part(range)
    }
  }

  var isWhole: Bool { if case .whole = self { true } else { false } }
  var isPart: Bool { if case .part = self { true } else { false } }

  /// - Returns: nil for a range that can't be satisfied.
  func bytes(of size: Int64) -> Range<Int64>? {
    switch self {
    case .whole: 0..<size
    case .fromStart: size > 0 ? 0..<size : nil
    case .part(let range): range.resolved(of: size)
    }
  }
}
