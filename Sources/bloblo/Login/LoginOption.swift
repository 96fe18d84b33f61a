import ArgumentParser
import Glibc
import Primitives
import System
import Warm

/// `--user` and `--password-file`, of commands that ask the registry.
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

  /// - Returns: a function that finds the login for the first of some hosts. The password was read already.
  func logins(_ environment: [String: String]) throws -> ([String]) -> RegistryLogin? {
    guard let user else {
      let docker = DockerConfiguration(environment: environment)
      return { RegistryLogin(of: docker, for: $0) }
    }
    do throws(WarmError) {
      let login = RegistryLogin(
        user: user, password: try RegistryLogin.password(from: passwordFile))
      return { _ in login }
    } catch {
      complain(["bloblo: \(error)"])
      throw ExitCode(EX_NOINPUT)
    }
  }
}
