internal import Hashing
internal import Registry
internal import S3
internal import Threading

/// Hashes a blob from its spool, behind those who read along: while they come first, the hash waits with the upload.
///
/// One pass: what is to be uploaded in parts is hashed for its part, and cut, while it is still in the
/// processor's cache for the digest.
final class BlobHashing: Sendable {
  private static let pieceBytes = 256 << 10

  private let fill: BlobFill
  private let spool: Spool
  private let parts: Parts?
  private let courtesy: Courtesy
  private let verdict = Monitor<Result<Void, FillError>?>(nil)

  /// How long a part is, what it is summed by, and who takes it.
  struct Parts: Sendable {
    let bytes: Int64
    let algorithm: PartChecksum.Algorithm
    let take: @Sendable (BlobPart) -> Void
  }

  init(_ fill: BlobFill, spool: Spool, parts: Parts?, courtesy: Courtesy) {
    self.fill = fill
    self.spool = spool
    self.parts = parts
    self.courtesy = courtesy
  }

  /// Hashes on a thread of the pool, as the spool grows.
  ///
  /// - Returns: `false` when the pool takes no more.
  func start(on pool: ThreadPool<Void>) -> Bool {
    pool.submit { _ in
      let verdict = self.verify()
      self.verdict.update { $0 = verdict }
    }
  }

  /// Waits for what was begun by `start`.
  func waitForVerdict() throws(FillError) {
    guard let verdict = verdict.wait(until: { $0 }) else {
      preconditionFailure("a wait without a limit came back empty")
    }
    try verdict.get()
  }

  /// Nobody needs a hash before the upload goes up.
  private func waitForClients() throws(FillError) {
    while courtesy.isDue { try fill.pause(for: .milliseconds(100)) }
  }

  /// Hashes to the blob's end, as far as that has come, and compares.
  func verify() -> Result<Void, FillError> {
    Result { () throws(FillError) in
      var hash = HashFunction(fill.digest.algorithm)
      let cutter = parts.map {
        PartCutter(size: spool.bytes, partBytes: $0.bytes, $0.algorithm, $0.take)
      }
      var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
      var offset: Int64 = 0
      while offset < spool.bytes {
        try waitForClients()
        guard let end = try fill.waitForBytes(beyond: offset) else { continue }
        let count = try spool.read(into: &piece, at: offset, upTo: end)
        let bytes = piece.span.extracting(0..<count)
        hash.update(bytes)
        cutter?.append(bytes)
        offset += Int64(count)
      }
      let digest = hash.finalize()
      let got = Hex.encode(digest.span)
      guard got == fill.digest.encoded else {
        throw .wrongDigest(
          want: fill.digest.description,
          got: "\(fill.digest.algorithm.rawValue):\(String(decoding: got, as: UTF8.self))")
      }
    }
  }
}
