/// What the target of a DELETE names, by the most generous reading: a registry may understand a spelling that
/// `BlobPath` refuses, and then it deletes a blob.
package enum DeletionTarget: Hashable, Sendable {
  case blob(BlobPath)
  /// A blob of the registry's, and it can't be told which.
  case someBlob

  /// - Parameter target: a request's target as it was sent.
  /// - Returns: `nil` when no blob is named: a manifest, say, or an upload.
  package init?(_ target: Span<UInt8>) {
    if let path = BlobPath(requestTarget: target) {
      self = .blob(path)
      return
    }
    let path = unsafe target.withUnsafeBufferPointer {
      unsafe Array($0.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    }
    let plain = withoutDots(percentDecoded(path, times: 4))
    if let path = BlobPath(requestTarget: plain.span) {
      self = .blob(path)
      return
    }
    let text = String(decoding: plain, as: UTF8.self).lowercased()
    guard text.contains("/blobs/"), !text.contains("/blobs/uploads/") else { return nil }
    self = .someBlob
  }
}

/// The path without empty segments, and with `.` and `..` resolved. Source: RFC 3986 §5.2.4.
private func withoutDots(_ path: [UInt8]) -> [UInt8] {
  var segments: [ArraySlice<UInt8>] = []
  for segment in path.split(separator: UInt8(ascii: "/")) {
    if segment.elementsEqual("..".utf8) {
      _ = segments.popLast()
    } else if !segment.elementsEqual(".".utf8) {
      segments.append(segment)
    }
  }
  return segments.flatMap { [UInt8(ascii: "/")] + $0 }
}
