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
  let text = String(decoding: location, as: UTF8.self).lowercased()
  let path = text.prefix { $0 != "?" && $0 != "#" }
  guard path.contains(String(decoding: digest.encoded, as: UTF8.self)) else { return false }
  let plain = path.split(separator: "%2f").joined(separator: "/").split(separator: "%3a").joined(
    separator: ":")
  let segments = plain.split(separator: "/")
  let isRegistryPath =
    segments.contains("v2") && segments.suffix(2).elementsEqual(["blobs", "\(digest)"])
  return !isRegistryPath
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
  return Int64(range[range.index(after: slash)...])
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
