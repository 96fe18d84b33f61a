import HTTPTransport
import Hashing
import Registry
import Synchronization

/// Requests for one repository of one registry, with the credential that it asks for.
final class RegistrySession: Sendable {
  private static let manifestLimit = 16 << 20
  private static let hopLimit = 5

  let reference: ImageReference
  private let url: String
  private let authority: RegistryAuthority
  private let limits: HTTPLimits

  /// - Parameters:
  ///   - url: `http://host[:port][/prefix]`.
  ///   - login: by the registry's name; without it, that of the host in the URL holds.
  init(
    _ reference: ImageReference, at url: String, _ docker: DockerConfiguration,
    _ login: RegistryCredential?, _ limits: HTTPLimits
  ) {
    self.reference = reference
    self.url = url
    self.limits = limits
    authority = RegistryAuthority(
      isPlain: url.hasPrefix("http:"), scope: "repository:\(reference.name):pull", limits,
      login ?? (reference.host == nil ? docker.credential(for: host(of: url)) : nil))
  }

  func manifest(_ target: String, over http: inout HTTPClient) throws(WarmError) -> [UInt8] {
    let request = HTTPRequest(
      .get, "\(url)/v2/\(reference.name)/manifests/\(target)",
      fields: ImageDocument.mediaTypes.map { HTTPField("Accept", $0) }, limits: limits)
    let response = try authorized(request, &http) { request, http throws(TransportError) in
      try http.send(request, bodyLimit: Self.manifestLimit)
    }
    guard response.head.status == 200 else {
      throw WarmError("manifest \(target): the registry answers \(response.head.status)")
    }
    return response.body
  }

  /// The request that reads a blob: at the registry, or where it sends its clients to.
  func locate(_ digest: Digest, over http: inout HTTPClient) throws(WarmError) -> HTTPRequest {
    let blob = HTTPRequest(
      .get, "\(url)/v2/\(reference.name)/blobs/\(digest)", limits: limits)
    var head = blob
    head.method = .head
    let answer = try authorized(head, &http) { request, http throws(TransportError) in
      try http.send(request, bodyLimit: 0)
    }
    var request = blob
    request.fields = authority.fields
    // A HEAD may be refused, or its redirect be for a HEAD only: then a GET is followed to its end.
    if answer.head.status == 200 { return request }
    for _ in 0..<Self.hopLimit {
      let status: HTTPResponseHead
      do { status = try http.head(of: request) } catch { throw WarmError(error.message) }
      switch status.status {
      case 200: return request
      case 301, 302, 303, 307, 308:
        guard let location = status.fields.first(named: "location")?.text,
          let next = absolute(location, from: request.url)
        else { throw WarmError("a redirect to nowhere") }
        // A credential is for the host that asked for it, and no less hidden than there.
        let isPlainer = request.url.hasPrefix("https:") && !next.hasPrefix("https:")
        if host(of: next) != host(of: request.url) || isPlainer { request.fields = [] }
        request.url = next
      default: throw WarmError("the registry answers \(status.status)")
      }
    }
    throw WarmError("too many redirects")
  }

  /// Sends a request with what the registry has asked for so far; once more, when it asks for more.
  private func authorized(
    _ request: HTTPRequest, _ http: inout HTTPClient,
    _ send: (HTTPRequest, inout HTTPClient) throws(TransportError) -> HTTPResponse
  ) throws(WarmError) -> HTTPResponse {
    do throws(TransportError) {
      var attempt = request
      attempt.fields += authority.fields
      let response = try send(attempt, &http)
      guard response.head.status == 401,
        let field = response.head.fields.first(named: "www-authenticate"),
        let challenge = AuthChallenge(field.text)
      else { return response }
      do {
        try authority.answer(challenge, over: &http)
      } catch {
        throw TransportError(.invalid, error.description)
      }
      attempt.fields = request.fields + authority.fields
      return try send(attempt, &http)
    } catch {
      throw WarmError(error.message)
    }
  }
}

/// Host and port.
private func host(of url: String) -> String {
  let rest = url.split(separator: "://", maxSplits: 1).last ?? ""
  return String(rest.prefix { $0 != "/" && $0 != "?" })
}

/// A redirect's target, which may be a path alone.
private func absolute(_ location: String, from url: String) -> String? {
  if location.hasPrefix("http://") || location.hasPrefix("https://") { return location }
  guard location.hasPrefix("/"), !location.hasPrefix("//") else { return nil }
  return url.prefix { $0 != ":" } + "://" + host(of: url) + location
}
