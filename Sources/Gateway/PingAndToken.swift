internal import FastCGI
internal import HTTPTransport
package import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Telemetry

/// Answers the requests that come before every pull, `GET /v2/` and the token endpoint, from memory.
///
/// Anything else that the web server routes here passes, above all a 401.
///
/// Source: OCI distribution-spec, end-1; <https://distribution.github.io/distribution/spec/auth/token/>
package struct PingAndToken: Sendable {
  enum Kind: Sendable {
    case ping, token

    /// By the path: `/v2/`, or one whose last segment is `token`, as in `/v2/token`, `/service/token` or `/token/`.
    /// Another token endpoint is named by the param `BLOBLO_TOKEN_ENDPOINT`.
    init?(_ request: Request) {
      guard request.role == .responder, request.parameter("REQUEST_METHOD") == Array("GET".utf8)
      else {
        return nil
      }
      let target = request.parameter("REQUEST_URI") ?? []
      let path = target.prefix { $0 != UInt8(ascii: "?") }
      if request.parameter("BLOBLO_TOKEN_ENDPOINT") == Array("true".utf8) {
        self = .token
      } else if path.elementsEqual("/v2/".utf8) || path.elementsEqual("/v2".utf8) {
        self = .ping
      } else if path.suffix(6).elementsEqual("/token".utf8)
        || path.suffix(7).elementsEqual("/token/".utf8)
      {
        self = .token
      } else {
        return nil
      }
      // The target goes upstream as it is. It must be an absolute path, so that it can't name another host, without a
      // `#`, where libcurl would end it.
      guard target.first == UInt8(ascii: "/"),
        target.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
      else {
        return nil
      }
    }
  }

  package let cache: ResponseCache
  let fingerprinter: Fingerprinter
  let frontServer: WebServer

  /// The key of a remembered answer. The credential, the host and the whole query are in it, so that no client gets
  /// the answer to another question.
  func key(of request: Request, in location: Location) -> ResponseCache.Key {
    let fingerprint = fingerprinter.fingerprint(
      of: request, in: location, and: ["HTTP_HOST", "REQUEST_URI", "HTTP_ACCEPT"])
    return ResponseCache.Key(location: location.id, fingerprint: fingerprint)
  }

  /// Asks upstream, once.
  ///
  /// - Returns: a 200 that can be remembered; `nil` for everything else.
  func ask(
    _ kind: Kind, for request: Request, id: RequestID, in location: Location,
    by http: inout HTTPClient
  ) -> HTTPResponse? {
    let client = ClientFields(request, in: location, id)
    // A ping without a credential asks for the registry's challenge: the registry answers it.
    if kind == .ping, !client.hasCredential { return nil }
    var fields = client.fields
    if let accept = request.parameter("HTTP_ACCEPT") { fields.append(HTTPField("Accept", accept)) }
    if let host = host(of: request, in: location) { fields.append(HTTPField("Host", host)) }
    let target = String(decoding: request.parameter("REQUEST_URI") ?? [], as: UTF8.self)
    let upstream = location.settings.upstream
    // The token ages while its answer is on the way.
    let now = Moment.now()
    let question = HTTPRequest(.get, upstream.url + target, fields: fields, limits: upstream.limits)
    // After any failure the request passes, so the registry itself answers.
    guard let answer = try? http.send(question, bodyLimit: 1 << 20), answer.head.status == 200,
      !answer.head.isHTML, answer.head.fields.first(named: "content-encoding") == nil
    else { return nil }
    let key = key(of: request, in: location)
    switch kind {
    case .ping: cache.keep(answer, to: key, tokenEnd: client.credentialEnd, at: now)
    case .token:
      guard let token = TokenResponse(answer.body, at: now.unix) else { return nil }
      cache.keep(answer, token, to: key, at: now)
    }
    return answer
  }

  /// The client's `Host`, where a pass tells it to the registry and `BLOBLO_PRESERVE_HOST` does not: the web server
  /// hands it on, while bloblo's own relay keeps to the setting.
  private func host(of request: Request, in location: Location) -> [UInt8]? {
    guard !location.settings.isHostPreserved, request.parameter("BLOBLO_PRESERVE_HOST") == nil,
      frontServer.resolved(for: request) != .none,
      let host = request.parameter("HTTP_HOST"), !host.isEmpty
    else { return nil }
    return host
  }
}
