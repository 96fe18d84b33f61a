package import Gateway
internal import HTTPTransport
internal import Logging
internal import S3
internal import Settings
internal import Synchronization
internal import System
package import Telemetry

/// Reads again, at SIGHUP, the file of settings, the files of authorities and CloudFront's key. The log says what
/// bloblo took over, and which settings wait for a restart.
package final class Reload: Sendable {
  private let path: String?
  private let log: Log
  private let locations: Locations
  /// As of the last reading.
  private let environment: Mutex<[String: String]>

  /// - Parameter path: of the file that settings were read from at the start, if any.
  package init(
    environment: [String: String], path: String?, log: Log, locations: Locations
  ) {
    self.environment = Mutex(environment)
    self.path = path
    self.log = log
    self.locations = locations
  }

  package func run() {
    let before = environment.withLock { $0 }
    let settings: ProcessSettings
    let now: [String: String]
    do throws(SettingsError) {
      now = try environmentNow(before)
      settings = try ProcessSettings(environment: now)
    } catch {
      return log.logger.error(
        "nothing was reloaded: settings are wrong",
        metadata: ["problems": "\(error.problems.joined(separator: "; "))"])
    }
    environment.withLock { $0 = now }
    var fields: Logger.Metadata = ["authorities": "read again"]
    if let path { fields["file"] = "\(path)" }
    if now[Declared.logLevel.name] != before[Declared.logLevel.name] {
      log.volume.level = settings.logLevel
      fields["level.new"] = "\(log.volume.level)"
    }
    if let signer = settings.location.cloudFront {
      for location in locations.all { location.settings.cloudFront?.renewKey(from: signer) }
      fields["cloudfront.key"] = "read again"
    }
    HTTPClient.renewAuthorities()
    let waiting = changed(from: before, to: now)
    if !waiting.isEmpty { fields["waits-for-restart"] = "\(waiting.joined(separator: ", "))" }
    // Logged at the current level, so that it is always seen.
    log.logger.log(level: log.volume.level, "reloaded", metadata: fields)
  }

  private func environmentNow(_ before: [String: String]) throws(SettingsError) -> [String: String]
  {
    guard let path else { return before }
    guard let file = EnvironmentFile(path) else {
      throw SettingsError(problems: ["\(path) can't be read"])
    }
    return EnvironmentFile.merged(processEnvironment(), file)
  }

  /// The names, never the values, of settings that differ and are read at the start only.
  private func changed(from before: [String: String], to now: [String: String]) -> [String] {
    Set(before.keys).union(now.keys).filter { name in
      name != Declared.logLevel.name && (name.hasPrefix("BLOBLO_") || name.hasPrefix("AWS_"))
        && before[name, default: ""] != now[name, default: ""]
    }.sorted()
  }
}
