internal import Glibc
internal import Logging
internal import Primitives

/// Formats each event as one line, and gives it to the sink of the error stream.
struct LineLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  let format: LogFormat
  private let volume: LogLevelControl

  init(format: LogFormat, volume: LogLevelControl) {
    self.format = format
    self.volume = volume
  }

  /// The level of all loggers that share the volume.
  var logLevel: Logger.Level {
    get { volume.level }
    set { volume.level = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    LogSink.standardError.write(
      line(event.level, "\(event.message)", fields: event.metadata ?? [:]))
  }

  func line(_ level: Logger.Level, _ message: String, fields more: Logger.Metadata) -> [UInt8] {
    var line: [UInt8] = []
    line.reserveCapacity(512)
    let fields = metadata.merging(more) { $1 }.sorted { $0.key < $1.key }
    switch format {
    case .json:
      line.append(
        contentsOf: "{\"time\":\"\(timestamp())\",\"level\":\"\(level)\",\"message\":".utf8)
      appendJSONString(message, to: &line)
      for (name, value) in fields {
        line.append(UInt8(ascii: ","))
        appendJSONString(name, to: &line)
        line.append(UInt8(ascii: ":"))
        if value.isNumber {
          line.append(contentsOf: "\(value)".utf8)
        } else {
          appendJSONString("\(value)", to: &line)
        }
      }
      line.append(UInt8(ascii: "}"))
    case .text:
      line.append(contentsOf: "\(timestamp()) \(level) ".utf8)
      appendEscaped(message, to: &line)
      for (name, value) in fields {
        line.append(contentsOf: " \(name)=".utf8)
        if value.isNumber {
          line.append(contentsOf: "\(value)".utf8)
        } else {
          appendJSONString("\(value)", to: &line)
        }
      }
    }
    line.append(UInt8(ascii: "\n"))
    return line
  }
}

extension Logger.MetadataValue {
  /// Numbers are JSON numbers, so that they can be compared and added.
  fileprivate var isNumber: Bool {
    guard case .stringConvertible(let value) = self else { return false }
    return value is Int || value is Int64 || (value as? Double)?.isFinite == true
  }
}

/// Now, UTC, RFC 3339 with milliseconds.
private func timestamp() -> String {
  var now = timespec()
  unsafe clock_gettime(CLOCK_REALTIME, &now)
  var parts = unsafe tm()
  var text = [CChar](repeating: 0, count: 32)
  _ = unsafe gmtime_r(&now.tv_sec, &parts)
  let length = unsafe strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
  let seconds = String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  let milliseconds = String(1000 + now.tv_nsec / 1_000_000).dropFirst()
  return "\(seconds).\(milliseconds)Z"
}

/// Source: RFC 8259 §7. Control characters are escaped: a line stays one line, whatever a client sent.
private func appendJSONString(_ text: String, to line: inout [UInt8]) {
  line.append(UInt8(ascii: "\""))
  appendEscaped(text, to: &line)
  line.append(UInt8(ascii: "\""))
}

private func appendEscaped(_ text: String, to line: inout [UInt8]) {
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      line.append(UInt8(ascii: "\\"))
      line.append(byte)
    case 0..<0x20, 0x7F:
      let digits = Array("0123456789abcdef".utf8)
      line.append(contentsOf: "\\u00".utf8)
      line.append(digits[Int(byte >> 4)])
      line.append(digits[Int(byte & 0xF)])
    default: line.append(byte)
    }
  }
}
