internal import HTTPTransport

extension Endpoint {
  /// Where a 307 sends a request, if that may be followed: by the same scheme, to a host under this one's domain.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html>
  func target(ofRedirect head: HTTPResponseHead) -> String? {
    guard head.status == 307, let location = head.fields.first(named: "location")?.text,
      let url = try? HTTPURL(location), !url.hasFragment, url.scheme == scheme,
      isUnderDomain(url.host)
    else { return nil }
    return url.description
  }

  private func isUnderDomain(_ other: String) -> Bool {
    if other == host { return true }
    guard !isAddress else { return false }
    let labels = host.split(separator: ".")
    // `s3.example.com` and `bucket.s3-2.example.com` are neighbours; what has two labels is a domain by itself.
    let domain = labels.count > 2 ? labels.dropFirst().joined(separator: ".") : host
    return labels.count > 1 && (other == domain || other.hasSuffix("." + domain))
  }
}
