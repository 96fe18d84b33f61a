internal import FoundationEssentials
internal import System

/// A credential for a registry.
package enum RegistryCredential: Sendable {
  case password(user: String, secret: String)
  /// A refresh token for the token server.
  case identityToken(String)
}

/// Credentials as `docker login` leaves them.
///
/// Source: <https://docs.docker.com/reference/cli/docker/login/#credential-stores>
package struct DockerConfiguration: Sendable {
  private struct File: Decodable {
    struct Entry: Decodable {
      var auth: String?
      var username: String?
      var password: String?
      var identitytoken: String?
    }

    var auths: [String: Entry]?
    var credHelpers: [String: String]?
    var credsStore: String?
  }

  private struct HelperAnswer: Decodable {
    enum CodingKeys: String, CodingKey {
      case user = "Username"
      case secret = "Secret"
    }

    var user: String
    var secret: String
  }

  /// Asks a credential helper for a server's login; `nil` if it fails.
  typealias Helper = @Sendable (_ name: String, _ server: String) -> [UInt8]?

  private let file: File?
  private let helper: Helper

  /// A missing or unreadable file holds no credentials.
  package init(environment: [String: String]) {
    let folder = environment["DOCKER_CONFIG"] ?? environment["HOME"].map { "\($0)/.docker" }
    self.init(
      folder.flatMap { FileManager.default.contents(atPath: "\($0)/config.json") }, asking: run)
  }

  init(_ content: Data?, asking helper: @escaping Helper) {
    file = content.flatMap { try? JSONDecoder().decode(File.self, from: $0) }
    self.helper = helper
  }

  /// - Parameter host: with its port, as in a reference.
  package func credential(for host: String) -> RegistryCredential? {
    let isHub = ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(host)
    let names =
      (isHub ? ["https://index.docker.io/v1/", "docker.io"] : []) + [
        host, "https://\(host)", "http://\(host)", "https://\(host)/v1/", "https://\(host)/v2/",
      ]
    for name in names {
      if let helper = file?.credHelpers?[name] { return ask(helper, for: name) }
    }
    if let helper = file?.credsStore {
      if let found = ask(helper, for: names[0]) { return found }
    }
    for name in names {
      if let entry = file?.auths?[name], let credential = credential(of: entry) {
        return credential
      }
    }
    return nil
  }

  private func credential(of entry: File.Entry) -> RegistryCredential? {
    if let token = entry.identitytoken, !token.isEmpty { return .identityToken(token) }
    if let user = entry.username, let password = entry.password, !user.isEmpty {
      return .password(user: user, secret: password)
    }
    guard let auth = entry.auth, let data = Data(base64Encoded: auth) else { return nil }
    let pair = String(decoding: data, as: UTF8.self)
      .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard pair.count == 2 else { return nil }
    return .password(user: String(pair[0]), secret: String(pair[1]))
  }

  private func ask(_ name: String, for server: String) -> RegistryCredential? {
    // Both become words of a command line.
    guard isPlainWord(name), isPlainWord(server), let output = helper(name, server),
      let answer = try? JSONDecoder().decode(HelperAnswer.self, from: Data(output)),
      !answer.secret.isEmpty
    else { return nil }
    if answer.user == "<token>" { return .identityToken(answer.secret) }
    return .password(user: answer.user, secret: answer.secret)
  }
}

/// Runs `docker-credential-<name> get`, which reads a server's name and answers in JSON.
///
/// Source: <https://github.com/docker/docker-credential-helpers#development>
private func run(_ name: String, for server: String) -> [UInt8]? {
  let command = ShellCommand("printf %s '\(server)' | docker-credential-\(name) get 2>/dev/null")
  guard let outcome = try? command.run(within: .seconds(60)), outcome.status == 0 else {
    return nil
  }
  return outcome.bytes
}

private func isPlainWord(_ text: String) -> Bool {
  text.utf8.allSatisfy { byte in
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
      || "-_.:/[]".utf8.contains(byte)
  }
}
