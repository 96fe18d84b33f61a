import Logging

/// The logger, and how much it says.
struct Log: Sendable {
  let logger: Logger
  let volume: LogVolume

  init(_ logger: Logger, _ volume: LogVolume) {
    self.logger = logger
    self.volume = volume
  }

  init(_ settings: Settings) {
    let volume = LogVolume(Logger.Level(rawValue: settings.logLevel) ?? .info)
    let format = settings.logFormat
    self.volume = volume
    logger = Logger(label: "bloblo") { _ in LineLogHandler(format: format, volume: volume) }
  }
  /// At the level itself, so that it is seen whatever it is.
  func tellLevel() {
    logger.log(
      level: volume.level, "log level changed", metadata: ["level.new": "\(volume.level)"])
  }
}
