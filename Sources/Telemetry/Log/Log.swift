package import Logging
package import Primitives

/// The logger and its level.
package struct Log: Sendable {
  package let logger: Logger
  package let volume: LogLevelControl

  init(_ logger: Logger, _ volume: LogLevelControl) {
    self.logger = logger
    self.volume = volume
  }

  package init(level: Logger.Level, format: LogFormat) {
    let volume = LogLevelControl(level)
    self.volume = volume
    logger = Logger(label: "bloblo") { _ in LineLogHandler(format: format, volume: volume) }
  }

  /// Logged at the current level, so that it is always seen.
  package func tellLevel() {
    logger.log(
      level: volume.level, "log level changed", metadata: ["level.new": "\(volume.level)"])
  }
}
