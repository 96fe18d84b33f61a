package import FastCGI
package import Logging
internal import Registry
internal import S3
package import Settings
internal import Telemetry

/// The log lines of a start.
package struct StartLog {
  private let settings: ProcessSettings
  private let logger: Logger

  package init(_ settings: ProcessSettings, _ logger: Logger) {
    self.settings = settings
    self.logger = logger
  }

  /// Logs where the settings come from, and which of them look wrong.
  package func tellSettings(of environment: [String: String], from file: EnvironmentFile?) {
    if let file { logger.info("settings read from a file", metadata: ["file": "\(file.path)"]) }
    tellProxies(of: environment, to: logger)
    for warning in settings.warnings {
      logger.warning("a setting looks wrong", metadata: ["advice": "\(warning)"])
    }
    let hosts = clientsNames(ofRegistryIn: settings)
    if let (words, advice) = SameHostCheck(settings.location, registryHosts: hosts).finding {
      logger.warning(
        "clients take the registry and S3 for one host",
        metadata: ["reason": "\(words)", "advice": "\(advice)"])
    }
  }

  package func tellListening(on address: ListenAddress) {
    logger.info(
      "listening",
      metadata: [
        "address": "\(address)", "upstream.url": "\(settings.location.upstream.url)",
        "s3.endpoint": "\(settings.location.bucket.endpoint)",
        "s3.bucket": "\(settings.location.bucket.name)",
        "version": "\(blobloVersion)",
      ])
  }
}
