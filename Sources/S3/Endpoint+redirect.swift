internal import HTTPTransport

extension Endpoint {
  /// Where a 307 sends a request, if that may be followed: by the same scheme, to a host under this one's domain.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html>
  func target(ofRedirect head: HTTPResponseHead) -> String? {
    guard head.status == 307, let location = head.fields.first(named: "location")?.text,
      let url = Endpoint.authority(of: location), url.scheme == scheme,
      isUnderDomain(url.host)
    else { return nil }
    return location
  }

  private func isUnderDomain(_ other: String) -> Bool {
    if other == host { return true }
    guard !isAddress else { return false }
    let labels = host.split(separator: ".")
    // `s3.example.com` and `bucket.s3-2.example.com` are neighbours; what has two labels is a domain by itself.
    let domain = labels.count > 2 ? labels.dropFirst().joined(separator: ".") : host
    return labels.count > 1 && (other == domain || other.hasSuffix("." + domain))
  }

  /// Scheme and host of an absolute URL that can be signed as it is.
  private static func authority(of url: String) -> (scheme: Scheme, host: String)? {
    let path = url.firstIndex(of: "?").map { url[..<$0] } ?? url[...]
    guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }),
      let schemeEnd = path.utf8.firstIndex(of: UInt8(ascii: ":")),
      path[schemeEnd...].hasPrefix("://")
    else { return nil }
    let rest = path[schemeEnd...].dropFirst(3)
    let authority = rest.prefix { $0 != "/" }
    guard let endpoint = try? Endpoint("\(path[..<schemeEnd])://\(authority)") else { return nil }
    return (endpoint.scheme, endpoint.host)
  }
}
