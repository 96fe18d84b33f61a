internal import FoundationEssentials
package import HTTPTransport
internal import Hashing
internal import Primitives
package import Registry
internal import Synchronization

/// Answers a registry's challenges: keeps the `Authorization` for its requests, by password or token.
///
/// Source: <https://distribution.github.io/distribution/spec/auth/token/> and …/oauth/
package final class RegistryAuthority: Sendable {
  private struct TokenAnswer: Decodable {
    enum CodingKeys: String, CodingKey {
      case token
      case accessToken = "access_token"
    }

    var token: String?
    var accessToken: String?
  }

  private let isPlain: Bool
  private let scope: String?
  private let limits: HTTPLimits
  private let credential: RegistryCredential?
  private let value = Mutex<String?>(nil)

  /// - Parameter scope: used when the challenge names none.
  package init(
    isPlain: Bool, scope: String?, _ limits: HTTPLimits, _ credential: RegistryCredential?
  ) {
    self.isPlain = isPlain
    self.scope = scope
    self.limits = limits
    self.credential = credential
  }

  /// The `Authorization` that goes with each request.
  package var fields: [HTTPField] {
    value.withLock { $0.map { [HTTPField("Authorization", $0)] } ?? [] }
  }

  /// Sends a request with the current `Authorization`, and once more when the registry challenges it.
  func authorized(
    _ request: HTTPRequest, over http: inout HTTPClient,
    _ send: (HTTPRequest, inout HTTPClient) throws(TransportError) -> HTTPResponse
  ) throws(WarmError) -> HTTPResponse {
    do throws(TransportError) {
      var attempt = request
      attempt.fields += fields
      let response = try send(attempt, &http)
      guard response.head.status == 401,
        let field = response.head.fields.first(named: "www-authenticate"),
        let challenge = AuthChallenge(field.text)
      else { return response }
      do {
        try answer(challenge, over: &http)
      } catch {
        throw TransportError(.invalid, error.description)
      }
      attempt.fields = request.fields + fields
      return try send(attempt, &http)
    } catch {
      throw WarmError(error.message)
    }
  }

  package func answer(_ challenge: AuthChallenge, over http: inout HTTPClient) throws(WarmError) {
    switch challenge.scheme {
    case "basic":
      guard let basic else { throw WarmError("the registry wants a password: docker login") }
      value.withLock { $0 = basic }
    case "bearer":
      let token = try token(challenge, &http)
      value.withLock { $0 = "Bearer \(token)" }
    default: throw WarmError("the registry wants \(challenge.scheme) authentication")
    }
  }

  private var basic: String? {
    guard case .password(let user, let secret)? = credential else { return nil }
    return "Basic \(Base64.string(Array("\(user):\(secret)".utf8).span))"
  }

  private func token(_ challenge: AuthChallenge, _ http: inout HTTPClient) throws(WarmError)
    -> String
  {
    guard let realm = challenge.parameters["realm"] else { throw WarmError("no realm") }
    // A credential that goes to the registry by https must not go to its token server by http.
    guard realm.hasPrefix("https://") || isPlain && realm.hasPrefix("http://") else {
      throw WarmError("the realm \(realm) is not https")
    }
    var pairs: [(String, String)] = []
    if let scope = challenge.parameters["scope"] ?? scope { pairs.append(("scope", scope)) }
    if let service = challenge.parameters["service"] { pairs.append(("service", service)) }
    let response: HTTPResponse
    do {
      response = try http.send(request(realm, pairs), bodyLimit: 1 << 20)
    } catch {
      throw WarmError("token server: \(error.message)")
    }
    switch response.head.status {
    case 200: break
    case let status where [400, 401, 403].contains(status) && credential != nil:
      throw WarmError("the registry refuses this credential (\(status) of its token server)")
    case let status: throw WarmError("token server: status \(status)")
    }
    guard let token = Self.token(in: response.body) else {
      throw WarmError("token server: an answer without a token")
    }
    return token
  }

  static func token(in body: [UInt8]) -> String? {
    let answer = try? JSONDecoder().decode(TokenAnswer.self, from: Data(body))
    guard let token = answer?.token ?? answer?.accessToken, !token.isEmpty,
      HTTPField("Authorization", token).isSendable
    else { return nil }
    return token
  }

  private func request(_ realm: String, _ pairs: [(String, String)]) -> HTTPRequest {
    if case .identityToken(let token)? = credential {
      let form = formEncoded(
        pairs + [
          ("grant_type", "refresh_token"), ("client_id", "bloblo"), ("refresh_token", token),
        ])
      return HTTPRequest(
        .post, realm, fields: [HTTPField("Content-Type", "application/x-www-form-urlencoded")],
        body: .bytes(Array(form.utf8)), limits: limits)
    }
    let separator = realm.contains("?") ? "&" : "?"
    return HTTPRequest(
      .get, realm + separator + formEncoded(pairs),
      fields: basic.map { [HTTPField("Authorization", $0)] } ?? [], limits: limits)
  }
}

private func formEncoded(_ pairs: [(String, String)]) -> String {
  pairs.map { "\(PercentEncoding.string($0.0))=\(PercentEncoding.string($0.1))" }.joined(
    separator: "&")
}
