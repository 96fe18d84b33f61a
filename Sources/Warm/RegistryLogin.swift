internal import Glibc
package import HTTPTransport
internal import Primitives
package import Registry
internal import System

/// A credential for a registry, and where it comes from.
package struct RegistryLogin: Sendable {
  package let credential: RegistryCredential
  /// For people: `as alice of --user`.
  package let words: String

  /// The login of `--user`.
  package init(user: String, password: String) {
    credential = .password(user: user, secret: password)
    words = "as \(user) of --user"
  }

  /// docker's login for the first host that it knows.
  ///
  /// - Parameter hosts: hosts with ports, or URLs.
  package init?(of docker: DockerConfiguration, for hosts: [String]) {
    for host in hosts.map({ (try? HTTPURL($0))?.authority ?? $0 }) {
      guard let credential = docker.credential(for: host) else { continue }
      self.credential = credential
      words = "by docker's login at \(host)"
      return
    }
    return nil
  }

  /// Logs in as a client does.
  ///
  /// - Parameters:
  ///   - path: what is asked for; a ping without one.
  ///   - caFile: that a token server is trusted by, instead of the registry's own.
  /// - Returns: an `Authorization` as the registry's challenge asks for.
  package func authorization(
    at registry: UpstreamRegistry, for path: BlobPath?, caFile: String?,
    over http: inout HTTPClient
  ) throws(WarmError) -> String? {
    var limits = registry.limits
    if let caFile { limits.caFile = caFile }
    let authority = RegistryAuthority(
      isPlain: registry.url.hasPrefix("http:"),
      scope: path.map { "repository:\($0.name):pull" }, limits, credential)
    // A web server in front of the registry may want the login even if the registry does not.
    let challenge = challenge(of: registry, for: path, &http) ?? AuthChallenge("Basic")
    if let challenge { try authority.answer(challenge, over: &http) }
    return authority.fields.first?.text
  }

  /// The registry's challenge; `nil` when it has none, or does not answer.
  private func challenge(
    of registry: UpstreamRegistry, for path: BlobPath?, _ http: inout HTTPClient
  ) -> AuthChallenge? {
    var request =
      path.map { registry.request(for: $0, from: ClientFields([])) }
      ?? HTTPRequest(.get, "\(registry.url)/v2/", limits: registry.limits)
    if path != nil { request.method = .head }
    let head = try? http.head(of: request)
    return head?.fields.first(named: "www-authenticate").flatMap { AuthChallenge($0.text) }
  }
}

extension RegistryLogin {
  /// Reads the first line of a file or of standard input. A terminal does not show it.
  package static func password(from file: String?) throws(WarmError) -> String {
    let line: String?
    if let file {
      guard let bytes = SmallFile.bytes(file) else {
        throw WarmError(
          "--password-file \(file.printable): can't be read: \(systemWords(for: errno))")
      }
      line = String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
    } else if isatty(STDIN_FILENO) == 1 {
      line = unsafe getpass("Password: ").map { unsafe String(cString: $0) }
    } else {
      line = readLine(strippingNewline: true).map {
        $0.hasSuffix("\r") ? String($0.dropLast()) : $0
      }
    }
    guard let line, !line.isEmpty else {
      throw WarmError(
        "--user: want the password as the first line of \(file ?? "standard input"), got nothing")
    }
    return line
  }
}
