import HTTPTransport
import Operator
import Registry
import Warm

/// Logs in as a client does: what the registry's challenge asks for is what its requests carry.
struct CheckLogin {
  private let login: RegistryLogin?
  private let upstream: UpstreamRegistry
  private let path: BlobPath?
  private let authoritiesFile: String?

  /// - Parameters:
  ///   - path: what is asked for; a ping without one.
  ///   - authoritiesFile: that a token server is trusted by, instead of the registry's own.
  init(
    _ login: RegistryLogin?, _ upstream: UpstreamRegistry, _ path: BlobPath?,
    authoritiesFile: String?
  ) {
    self.login = login
    self.upstream = upstream
    self.path = path
    self.authoritiesFile = authoritiesFile
  }

  /// - Returns: an `Authorization` to ask with; `nil` without a login, or when it is refused.
  func authorization(_ report: inout CheckReport, _ http: inout HTTPClient) -> String? {
    guard let login else { return nil }
    var limits = upstream.limits
    if let authoritiesFile { limits.authoritiesFile = authoritiesFile }
    let authority = RegistryAuthority(
      isPlain: upstream.url.hasPrefix("http:"),
      scope: path.map { "repository:\($0.name):pull" }, limits, login.credential)
    do {
      try authority.answer(challenge(&http) ?? .basic, over: &http)
    } catch {
      report.fail("login", "\(login.words): \(error)", "is the password right?")
      return nil
    }
    report.ok("login", login.words)
    return authority.fields.first?.text
  }

  /// What the registry wants; `nil` when it lets everybody in, or does not answer, which is said elsewhere.
  private func challenge(_ http: inout HTTPClient) -> AuthChallenge? {
    var request =
      path.map { upstream.request(for: $0, from: ClientFields([])) }
      ?? HTTPRequest(.get, "\(upstream.url)/v2/", limits: upstream.limits)
    if path != nil { request.method = .head }
    let head = try? http.head(of: request)
    return head?.fields.first(named: "www-authenticate").flatMap { AuthChallenge($0.text) }
  }
}

extension AuthChallenge {
  /// Of a web server that will ask for a password, where the registry does not.
  fileprivate static var basic: AuthChallenge {
    guard let challenge = AuthChallenge("Basic realm=\"registry\"") else {
      preconditionFailure("a challenge of RFC 7617")
    }
    return challenge
  }
}
