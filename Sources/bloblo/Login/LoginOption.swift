import ArgumentParser
import Glibc
import Primitives
import System
import Warm

/// Who asks the registry: `--user`, of commands that a person or a timer runs.
struct LoginOption: ParsableArguments {
  @Option(
    help:
      "The user's name at the registry; the password is the first line of standard input, or of --password-file. Without it docker's login is used."
  )
  var user: String?

  @Option(help: "A file whose first line is the password of --user.")
  var passwordFile: String?

  func validate() throws {
    if passwordFile != nil, user == nil {
      throw ValidationError("--password-file: want --user NAME too")
    }
    if let user, user.isEmpty || user.contains(":") {
      throw ValidationError("--user: want a name without a colon, got \"\(user.printable)\"")
    }
  }

  /// - Returns: `nil` without `--user`.
  func password() throws -> String? {
    guard user != nil else { return nil }
    let line: String?
    if let passwordFile {
      guard let bytes = SmallFile.bytes(passwordFile) else {
        complain([
          "bloblo: --password-file \(passwordFile.printable): can't be read: \(systemWords(for: errno))"
        ])
        throw ExitCode(EX_NOINPUT)
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
      complain([
        "bloblo: --user: want the password as the first line of \(passwordFile ?? "standard input"), got nothing"
      ])
      throw ExitCode(EX_NOINPUT)
    }
    return line
  }

  /// The login that is named, or docker's for the first host that has one.
  ///
  /// - Parameter hosts: with their ports; URLs will do.
  func credential(
    _ password: String?, _ environment: [String: String], for hosts: [String]
  ) -> RegistryLogin? {
    if let user, let password {
      return RegistryLogin(
        credential: .password(user: user, secret: password), words: "as \(user) of --user")
    }
    let docker = DockerConfiguration(environment: environment)
    for host in hosts.map(hostAndPort) {
      guard let credential = docker.credential(for: host) else { continue }
      return RegistryLogin(credential: credential, words: "by docker's login at \(host)")
    }
    return nil
  }
}

/// A credential, and where it is from.
struct RegistryLogin {
  let credential: RegistryCredential
  let words: String
}

/// What a URL has between its scheme and its path; a host and port as they are.
private func hostAndPort(_ url: String) -> String {
  let rest = url.split(separator: "://", maxSplits: 1).last ?? ""
  return String(rest.prefix { $0 != "/" })
}
