import ArgumentParser
import Glibc
import HTTPTransport
import Settings
import System

/// `--env-file`, of every command.
struct EnvironmentFileOption: ParsableArguments {
  @Option(
    help: """
      Read settings from this file too. Without it \(EnvironmentFile.packaged) is read, if it is readable and no \
      BLOBLO_ variable is set. A variable that is set goes before the file.
      """)
  var envFile: String?

  /// The process's environment, the file's settings below it, and the AWS profile's below that.
  ///
  /// - Throws: an exit status, when the file that is named can't be read.
  func environment() throws -> [String: String] { try read().environment }

  /// Also sets the process's proxies, of which a CGI process has none.
  ///
  /// - Returns: also the file that was read.
  func read() throws -> (environment: [String: String], file: EnvironmentFile?) {
    let own = processEnvironment()
    let file = try file(beside: own)
    complain(file?.complaints ?? [])
    let environment = EnvironmentFile.merged(own, file)
    do throws(ProxySettings.Failure) {
      HTTPClient.use(try ProxySettings(environment: environment))
    } catch {
      complain(["bloblo: \(error)"])
      throw ExitCode(EX_CONFIG)
    }
    return (environment, file)
  }

  private func file(beside environment: [String: String]) throws -> EnvironmentFile? {
    guard let path = envFile else {
      guard !environment.keys.contains(where: { $0.hasPrefix("BLOBLO_") }) else { return nil }
      return EnvironmentFile(EnvironmentFile.packaged)
    }
    guard let file = EnvironmentFile(path) else {
      complain(["bloblo: --env-file \(path): can't be read: \(systemWords(for: errno))"])
      throw ExitCode(EX_CONFIG)
    }
    return file
  }

  /// Tells a person which file was read.
  func announce(_ file: EnvironmentFile?) {
    if let file { complain(["bloblo: settings from \(file.path)"]) }
  }
}
