internal import FastCGI
internal import HTTPTransport
package import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Telemetry

/// Answers the requests that come before every pull, `GET /v2/` and the token endpoint, from memory.
///
/// What the web server routes here and can't be remembered, a 401 above all, is passed.
///
/// Source: OCI distribution-spec, end-1; <https://distribution.github.io/distribution/spec/auth/token/>
package struct PingAndToken: Sendable {
  enum Kind: Sendable {
    case ping, token

    /// By the path: `/v2/`, or one whose last segment is `token`, as in `/v2/token`, `/service/token` or `/token/`;
    /// or by the web server's word, for other token endpoints.
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
      // It goes upstream as it is: printable, no other server's name, and no end of libcurl's.
      guard target.first == UInt8(ascii: "/"),
        target.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
      else {
        return nil
      }
    }
  }

  package let memory: AnswerMemory
  let askers: AskerHasher
  let frontServer: FrontServerKind

  /// Who asks what: the credential, the host and the whole query are in it, so that nobody gets an answer
  /// to another question than the own one.
  func key(of request: Request, in location: Location) -> AnswerMemory.Key {
    let asker = askers.asker(
      of: request, in: location, and: ["HTTP_HOST", "REQUEST_URI", "HTTP_ACCEPT"])
    return AnswerMemory.Key(location: location.id, asker: asker)
  }

  /// Asks upstream, once.
  ///
  /// - Returns: a 200 that is what it should be; `nil` for everything else.
  func ask(
    _ kind: Kind, for request: Request, id: RequestID, in location: Location,
    by http: inout HTTPClient
  ) -> HTTPResponse? {
    let client = ClientFields(request, in: location, id)
    // Without a credential a ping is a question of what to do, and the registry's to answer.
    if kind == .ping, !client.hasCredential { return nil }
    var fields = client.fields
    if let accept = request.parameter("HTTP_ACCEPT") { fields.append(HTTPField("Accept", accept)) }
    if let host = host(of: request, in: location) { fields.append(HTTPField("Host", host)) }
    let target = String(decoding: request.parameter("REQUEST_URI") ?? [], as: UTF8.self)
    let upstream = location.settings.upstream
    // The answer may be long in coming, and the token ages meanwhile.
    let now = Moment.now()
    let question = HTTPRequest(.get, upstream.url + target, fields: fields, limits: upstream.limits)
    // Any failure is the registry's to tell: it is asked again.
    guard let answer = try? http.send(question, bodyLimit: 1 << 20), answer.head.status == 200,
      !answer.head.isPage, answer.head.fields.first(named: "content-encoding") == nil
    else { return nil }
    let key = key(of: request, in: location)
    switch kind {
    case .ping: memory.keep(answer, to: key, tokenEnd: client.credentialEnd, at: now)
    case .token:
      guard let token = TokenResponse(answer.body, at: now.unix) else { return nil }
      memory.keep(answer, token, to: key, at: now)
    }
    return answer
  }

  /// What the client calls the registry, where the straight way tells the registry so and the setting does
  /// not: a web server does, unless it says so itself; our own relay keeps to the setting.
  private func host(of request: Request, in location: Location) -> [UInt8]? {
    guard !location.settings.isHostPreserved, request.parameter("BLOBLO_PRESERVE_HOST") == nil,
      frontServer.resolved(for: request) != .none,
      let host = request.parameter("HTTP_HOST"), !host.isEmpty
    else { return nil }
    return host
  }
}
