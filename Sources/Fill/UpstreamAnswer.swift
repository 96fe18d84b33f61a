package import HTTPTransport
internal import Registry

/// The head of upstream's answer to a GET of a blob, judged.
struct UpstreamAnswer {
  private let head: HTTPResponseHead

  init(_ head: HTTPResponseHead) { self.head = head }

  /// Only a full 200 of the blob's size is worth reading.
  ///
  /// - Parameter size: that is known already.
  /// - Returns: the blob's size; `nil` when only its end will tell.
  func size(ofWhole size: Int64?, _ digest: Digest) throws(FillError) -> Int64? {
    guard head.status == 200 else { throw .upstream("answers \(head.status)") }
    try refuseOtherContent(digest)
    let length = head.fields.first(named: "content-length")
    guard length != nil else { return size }
    guard let stated = head.contentLength, stated <= BlobProof.largestSize else {
      throw .upstream("Content-Length \(length?.text ?? "") is no size")
    }
    guard let size, size != stated else { return stated }
    throw .upstream("want Content-Length \(size), got \(stated)")
  }

  /// The rest of a blob whose beginning is there: a 206 that begins where it was asked to, or the whole again.
  ///
  /// - Returns: where in the blob the body begins.
  func start(
    ofRestFrom offset: Int64, size: Int64, _ digest: Digest
  ) -> Result<Int64, FillError> {
    Result { () throws(FillError) in
      guard head.status == 206 else {
        _ = try self.size(ofWhole: size, digest)
        return 0
      }
      try refuseOtherContent(digest)
      let range = head.fields.first(named: "content-range")?.text ?? "none"
      guard range.hasPrefix("bytes \(offset)-"), range.hasSuffix("/\(size)") else {
        throw .upstream("want the rest from \(offset) of \(size), got Content-Range \(range)")
      }
      return offset
    }
  }

  /// The size of the whole blob, as a 206 or a 200 states it.
  var statedSize: Int64? {
    guard head.fields.first(named: "content-encoding") == nil, !head.isHTML else { return nil }
    let size: Int64? =
      switch head.status {
      case 200: head.contentLength
      case 206:
        head.fields.first(named: "content-range").flatMap { field in
          field.value.lastIndex(of: UInt8(ascii: "/")).flatMap {
            Int64(decimal: field.value[($0 + 1)...])
          }
        }
      default: nil
      }
    return size.flatMap { $0 <= BlobProof.largestSize ? $0 : nil }
  }

  /// Source: RFC 9110 §8.8.3, §13.1.5: a weak one says nothing about bytes.
  var strongValidator: [UInt8]? {
    guard let tag = head.fields.first(named: "etag")?.value, tag.count > 2,
      tag.first == UInt8(ascii: "\""), tag.last == UInt8(ascii: "\"")
    else { return nil }
    return tag
  }

  private func refuseOtherContent(_ digest: Digest) throws(FillError) {
    if let encoding = head.fields.first(named: "content-encoding") {
      throw .upstream("Content-Encoding \(encoding.text)")
    }
    if head.isHTML { throw .upstream("answers with an HTML page") }
    let named = head.fields.first(named: "docker-content-digest")
    if let named, digest.contradicts(named.value) {
      throw .upstream("Docker-Content-Digest \(named.text)")
    }
  }
}

/// The size of a whole blob, as an answer to a GET of it or of a part of it states it.
package func statedSize(ofBlobIn head: HTTPResponseHead) -> Int64? {
  UpstreamAnswer(head).statedSize
}
