import ArgumentParser
import Glibc
import HTTPTransport
import Operator
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

  /// The process's environment; where it says nothing, the file's settings, and then the AWS profile's.
  ///
  /// - Throws: an exit status when the named file can't be read.
  func environment() throws -> [String: String] { try read().environment }

  /// Also sets the process's proxies; a CGI process has none.
  ///
  /// - Returns: the settings, and the file that was read.
  func read() throws -> (environment: [String: String], file: EnvironmentFile?) {
    do {
      let own = processEnvironment()
      let file = try EnvironmentFile.find(named: envFile, beside: own)
      complain(file?.complaints ?? EnvironmentFile.complaints(without: own))
      let environment = EnvironmentFile.merged(own, file)
      HTTPClient.use(try ProxySettings(environment: environment))
      return (environment, file)
    } catch let error as EnvironmentFile.Unreadable {
      complain(["bloblo: --env-file \(error)"])
    } catch let error as ProxySettings.Failure {
      complain(["bloblo: \(error)"])
    }
    throw ExitCode(EX_CONFIG)
  }

  /// The settings of a command other than `serve`. Prints which file it has read.
  ///
  /// - Parameter options: settings from the command line; `nil` for those that it does not set.
  func toolSettings(
    over options: [String: String?] = [:]
  ) throws -> (ToolSettings, environment: [String: String]) {
    let (environment, file) = try read()
    if let file { complain(["bloblo: settings from \(file.path)"]) }
    let all = environment.merging(options.compactMapValues { $0 }) { $1 }
    do throws(ToolSettings.Failure) {
      return (try ToolSettings(all), all)
    } catch {
      complain(error.lines)
      throw ExitCode(EX_CONFIG)
    }
  }
}
