package import HTTPTransport

extension UpstreamRegistry {
  /// What upstream's answer proves.
  package func judge(_ head: HTTPResponseHead, _ path: BlobPath) throws(Unproven) -> BlobProof {
    if let digest = head.fields.first(named: "docker-content-digest"),
      path.digest.contradicts(digest.value)
    {
      throw .otherDigest
    }
    switch head.status {
    case 200, 206:
      guard !head.isHTML else { throw .page }
      return BlobProof(
        size: wholeSize(head, path.digest), fields: repeatedFields(of: head),
        status: head.status)
    case 300..<400:
      guard doesRedirectProve(head, path.digest) else { throw .redirectElsewhere }
      let location = head.fields.first(named: "location")?.value
      return BlobProof(
        size: nil, target: location.map { Array($0.prefix { $0 != UInt8(ascii: "?") }) },
        status: head.status)
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
    case .digest:
      // On its own host a name tells no storage from a login.
      let isNamed =
        (try? namedHosts.target(of: location.value, from: url)).map {
          (try? HTTPURL($0))?.authority != (try? HTTPURL(url))?.authority
        } ?? false
      return isStorage(location: location.value, digest, isNamed: isNamed)
    }
  }
}

/// The size of the whole blob: of an encoded body it is not known.
///
/// Some registries say 0 for any blob, which only the empty one has.
private func wholeSize(_ head: HTTPResponseHead, _ digest: Digest) -> Int64? {
  statedSize(head).flatMap { size in
    size <= BlobProof.largestSize && (size > 0 || digest.isOfNothing) ? size : nil
  }
}

private func statedSize(_ head: HTTPResponseHead) -> Int64? {
  guard head.fields.first(named: "content-encoding") == nil else { return nil }
  guard head.status == 206 else { return head.contentLength }
  // "bytes 0-0/1234", RFC 9110 §14.4.
  guard let range = head.fields.first(named: "content-range")?.value,
    let slash = range.lastIndex(of: UInt8(ascii: "/"))
  else {
    return nil
  }
  return Int64(decimal: range[(slash + 1)...])
}

/// What registries say of a blob itself, and not of this connection or this answer's framing.
private func repeatedFields(of head: HTTPResponseHead) -> [HTTPField] {
  var fields: [HTTPField] = []
  fields.reserveCapacity(repeatedNames.count)
  for field in head.fields where field.isNamed(oneOf: repeatedNames) { fields.append(field) }
  return fields
}

private let repeatedNames: [HTTPField.Name] = [
  "content-type", "etag", "cache-control", "last-modified", "docker-distribution-api-version",
  "x-content-type-options",
]
