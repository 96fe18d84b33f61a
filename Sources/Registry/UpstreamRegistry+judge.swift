package import HTTPTransport

extension UpstreamRegistry {
  /// What upstream's answer proves.
  package func judge(_ head: HTTPResponseHead, _ path: BlobPath) throws(Unproven) -> BlobProof {
    if let digest = head.fields.first(named: "docker-content-digest"),
      digest.value != path.digest.bytes
    {
      throw .otherDigest
    }
    switch head.status {
    case 200, 206:
      guard !head.isPage else { throw .page }
      return BlobProof(size: wholeSize(head), fields: head.fields.filter(isRepeated))
    case 300..<400:
      guard doesRedirectProve(head, path.digest) else { throw .redirectElsewhere }
      return BlobProof(size: nil)
    default:
      throw .status(head.status)
    }
  }

  private func doesRedirectProve(_ head: HTTPResponseHead, _ digest: Digest) -> Bool {
    guard [301, 302, 303, 307, 308].contains(head.status),
      let location = head.fields.first(named: "location")
    else {
      return false
    }
    switch redirect {
    case .never: return false
    case .any: return true
    case .digest: return isStorage(location: location.value, digest)
    }
  }
}

/// Whether a redirect's target is where the blob's bytes are.
///
/// The digest must stand in the path: a login page carries it in its query, as the place to return to.
/// And the path must not end as a registry's own does, in whatever encoding: a redirect from http to
/// https, or to a repository's canonical name, is given to everyone.
func isStorage(location: [UInt8], _ digest: Digest) -> Bool {
  let bytes = location.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
  let path = String(decoding: percentDecoded(bytes), as: UTF8.self).lowercased()
  guard path.contains(String(decoding: digest.encoded, as: UTF8.self)) else { return false }
  let segments = path.split(separator: "/").filter { $0 != "." }
  let isRegistryPath =
    segments.contains("v2") && segments.suffix(2).elementsEqual(["blobs", "\(digest)"])
  return !isRegistryPath
}

/// The bytes behind all percent-encoding, also behind one that is encoded itself.
private func percentDecoded(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
  var plain: [UInt8] = []
  for byte in bytes {
    plain.append(byte)
    let digits = plain.suffix(2)
    guard plain.count >= 3, plain[plain.count - 3] == UInt8(ascii: "%"),
      // A number may have a sign, to Swift.
      digits.first != UInt8(ascii: "+"),
      let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    else { continue }
    plain.removeLast(3)
    plain.append(value)
  }
  return plain
}

/// The size of the whole blob: of an encoded body it is not known.
private func wholeSize(_ head: HTTPResponseHead) -> Int64? {
  guard head.fields.first(named: "content-encoding") == nil else { return nil }
  guard head.status == 206 else { return head.contentLength }
  // "bytes 0-0/1234", RFC 9110 §14.4.
  guard let range = head.fields.first(named: "content-range")?.text,
    let slash = range.lastIndex(of: "/")
  else {
    return nil
  }
  return Int64(decimal: range[range.index(after: slash)...])
}

/// What registries say of a blob itself, and not of this connection or this answer's framing.
private func isRepeated(_ field: HTTPField) -> Bool {
  switch field.name.lowercased() {
  case "content-type", "etag", "cache-control", "last-modified", "docker-distribution-api-version",
    "x-content-type-options":
    true
  default: false
  }
}
