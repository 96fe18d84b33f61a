package import HTTPTransport
package import Registry
internal import Synchronization

/// Requests for one repository of one registry, with the credential that it asks for.
package final class RegistrySession: Sendable {
  private static let manifestLimit = 16 << 20
  private static let hopLimit = 3

  let reference: ImageReference
  private let url: String
  private let authority: RegistryAuthority
  private let limits: HTTPLimits
  private let followedHosts: FollowedHosts

  /// - Parameters:
  ///   - url: `http://host[:port][/prefix]`.
  ///   - login: by the registry's name; without it, that of the host in the URL holds.
  ///   - followedHosts: hosts to which a redirect of a blob may lead, besides the registry's own.
  package init(
    _ reference: ImageReference, at url: String, docker: DockerConfiguration,
    login: RegistryCredential?, limits: HTTPLimits, following followedHosts: FollowedHosts
  ) {
    self.reference = reference
    self.url = url
    self.limits = limits
    self.followedHosts = followedHosts
    authority = RegistryAuthority(
      isPlain: url.hasPrefix("http:"), scope: "repository:\(reference.name):pull", limits,
      login
        ?? (reference.host == nil
          ? (try? HTTPURL(url)).flatMap { docker.credential(for: $0.authority) } : nil))
  }

  func manifest(_ target: String, over http: inout HTTPClient) throws(WarmError) -> [UInt8] {
    let request = HTTPRequest(
      .get, "\(url)/v2/\(reference.name)/manifests/\(target)",
      fields: ImageDocument.mediaTypes.map { HTTPField("Accept", $0) }, limits: limits)
    let response = try authority.authorized(request, over: &http) {
      request, http throws(TransportError) in
      try http.send(request, bodyLimit: Self.manifestLimit)
    }
    guard response.head.status == 200 else {
      throw WarmError("manifest \(target): the registry answers \(response.head.status)")
    }
    return response.body
  }

  /// Whether the repository has a blob; `nil` when its answer does not tell.
  func has(_ digest: Digest, over http: inout HTTPClient) throws(WarmError) -> Bool? {
    let request = HTTPRequest(
      .head, "\(url)/v2/\(reference.name)/blobs/\(digest)", limits: limits)
    let answer = try authority.authorized(request, over: &http) {
      request, http throws(TransportError) in
      try http.send(request, bodyLimit: 0)
    }
    switch answer.head.status {
    case 200, 300..<400: return true
    case 404: return false
    default: return nil
    }
  }

  /// The request that reads a blob: at the registry, or at the host that it redirects clients to.
  func locate(_ digest: Digest, over http: inout HTTPClient) throws(WarmError) -> HTTPRequest {
    let blob = HTTPRequest(
      .get, "\(url)/v2/\(reference.name)/blobs/\(digest)", limits: limits)
    var head = blob
    head.method = .head
    let answer = try authority.authorized(head, over: &http) {
      request, http throws(TransportError) in
      try http.send(request, bodyLimit: 0)
    }
    var request = blob
    request.fields = authority.fields
    // The registry may refuse HEAD, or sign its redirect for HEAD only: then a GET finds the place.
    if answer.head.status == 200 { return request }
    for _ in 0..<Self.hopLimit {
      let status: HTTPResponseHead
      do { status = try http.head(of: request) } catch { throw WarmError(error.message) }
      switch status.status {
      case 200: return request
      case 301, 302, 303, 307, 308:
        guard let location = status.fields.first(named: "location") else {
          throw WarmError("a redirect to nowhere")
        }
        try follow(location.value, &request)
      default: throw WarmError("the registry answers \(status.status)")
      }
    }
    throw WarmError("too many redirects")
  }

  /// Follows a redirect: on the registry's own host with the credential, to a host that the operator has named
  /// without it, and nowhere else.
  private func follow(_ location: [UInt8], _ request: inout HTTPRequest) throws(WarmError) {
    if let base = try? HTTPURL(request.url),
      let next = try? HTTPURL(location: location, from: base),
      next.origin == base.origin
    {
      request.url = next.description
      return
    }
    do {
      request.url = try followedHosts.target(of: location, from: request.url)
    } catch {
      throw WarmError("\(error)")
    }
    request.fields = []
  }
}
