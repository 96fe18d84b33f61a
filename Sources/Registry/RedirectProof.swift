/// Whether a redirect's target is where the blob's bytes are, by a positive rule: its path names the digest, and its
/// query is signed, or its host is named by the operator.
///
/// A path alone is no proof: a login carries the place to return to, an error page what was asked for, and a
/// registry's canonical URL is given to everyone.
///
/// - Parameter isNamed: whether the operator has named the target's host as a storage of this registry.
func isStorage(location: [UInt8], _ digest: Digest, isNamed: Bool) -> Bool {
  let (path, query) = parts(of: location)
  guard let segments = segments(of: path), names(segments, digest) else { return false }
  return isSigned(query) || isNamed && !isRegistryPath(segments)
}

/// Path and query of a URL or a relative reference, of whatever scheme: no `HTTPURL`, since nobody goes there.
///
/// Source: RFC 3986 §3.
private func parts(of location: [UInt8]) -> (path: [UInt8], query: [UInt8]) {
  let slash = UInt8(ascii: "/")
  let reference = location.prefix { $0 != UInt8(ascii: "#") }
  var path = Array(reference.prefix { $0 != UInt8(ascii: "?") })
  let query = Array(reference.dropFirst(path.count + 1))
  // The host is no path, and the digest may not stand there.
  let scheme = path.prefix { $0 != UInt8(ascii: ":") && $0 != slash }.count
  var authority: Int?
  if path[min(scheme, path.count)...].starts(with: "://".utf8) {
    authority = scheme + 3
  } else if path.starts(with: "//".utf8) {
    authority = 2
  }
  if let authority { path = Array(path[authority...].drop { $0 != slash }) }
  return (path, query)
}

/// The path's segments, decoded once; `nil` when something is encoded twice, or a dot segment makes it another path.
private func segments(of path: [UInt8]) -> [String]? {
  let decoded = percentDecoded(path, times: 1)
  guard !decoded.contains(UInt8(ascii: "%")) else { return nil }
  let segments = String(decoding: decoded, as: UTF8.self).lowercased().split(separator: "/")
    .map(String.init)
  return segments.contains { $0 == "." || $0 == ".." } ? nil : segments
}

/// Whether a whole segment is the digest, with or without its algorithm, or two are that it is split over, as
/// `artifact/b6/32c6…` (pulpcore's storage).
private func names(_ segments: [String], _ digest: Digest) -> Bool {
  let encoded = String(decoding: digest.encoded, as: UTF8.self)
  return segments.contains { $0 == encoded || $0 == "\(digest)" }
    || zip(segments, segments.dropFirst()).contains { $0 + $1 == encoded }
}

/// Whether the path is a registry's own of a blob: `/v2/<name>/blobs/<digest>`.
private func isRegistryPath(_ segments: [String]) -> Bool {
  guard let version = segments.firstIndex(of: "v2") else { return false }
  return zip(segments[version...], segments[version...].dropFirst()).contains {
    $0 == "blobs" && $1.contains(":")
  }
}

/// A kind of signed URL: the parameter that carries its signature, and one that stands beside it.
private struct SignatureKind {
  let signature: String
  /// One of these, where the signature's name alone says little.
  var companions: [String] = []
  /// What its value begins with, where the name alone says little.
  var isFormed: @Sendable (Substring) -> Bool = { _ in true }
}

/// By their parameters' names in lower case.
private let signatureKinds = [
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
  SignatureKind(signature: "x-amz-signature"),
  // https://cloud.google.com/storage/docs/authentication/signatures
  SignatureKind(signature: "x-goog-signature"),
  // https://help.aliyun.com/document_detail/2639813.html (OSS, V4)
  SignatureKind(signature: "x-oss-signature"),
  // https://cloud.tencent.com/document/product/436/7778 (COS)
  SignatureKind(signature: "q-signature", companions: ["q-ak"]),
  // https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html,
  // S3's and OSS's V2, Google's V2, https://cloud.google.com/cdn/docs/using-signed-urls
  SignatureKind(
    signature: "signature",
    companions: ["key-pair-id", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "keyname"]),
  // https://learn.microsoft.com/rest/api/storageservices/create-service-sas
  SignatureKind(signature: "sig", companions: ["sv", "se", "sp", "skoid"]),
  // https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html
  SignatureKind(signature: "temp_url_sig", companions: ["temp_url_expires"]),
  // https://github.com/pulp/pulp_container, pulp_container/app/redirects.py
  SignatureKind(signature: "validate_token"),
  // Docker Hub's CDN: <when it ends>-<hash>, https://github.com/docker/hub-feedback/issues/1998
  SignatureKind(signature: "verify") { value in
    let end = value.prefix { $0.isASCII && $0.isNumber }
    return end.count >= 10 && value.dropFirst(end.count).hasPrefix("-")
  },
]

private func isSigned(_ query: [UInt8]) -> Bool {
  var values: [String: Substring] = [:]
  for pair in query.split(separator: UInt8(ascii: "&")) {
    let name = pair.prefix { $0 != UInt8(ascii: "=") }
    guard pair.count > name.count + 1 else { continue }
    let decoded = String(decoding: percentDecoded(Array(name), times: 1), as: UTF8.self)
    values[decoded.lowercased()] =
      String(decoding: pair.dropFirst(name.count + 1), as: UTF8.self)[...]
  }
  return signatureKinds.contains { kind in
    guard let value = values[kind.signature], kind.isFormed(value) else { return false }
    return kind.companions.isEmpty || kind.companions.contains { values[$0] != nil }
  }
}
