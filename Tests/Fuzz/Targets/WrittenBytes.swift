import FoundationEssentials
import Logging
import Primitives

@testable import Operator
@testable import Telemetry

/// The request id of a client: what is taken goes into logs and upstream.
func takeRequestID(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard RequestID.isSane(bytes.span) else { return }
  try hold(
    (1...128).contains(bytes.count) && bytes.allSatisfy { (0x21...0x7E).contains($0) },
    "an identifier is a short word")
}

/// A line of the log, with foreign bytes in its message and in a field.
func writeLogLine(_ bytes: [UInt8]) throws(BrokenPromise) {
  struct Line: Decodable {
    let message: String
    let field: String
  }
  let text = String(decoding: bytes, as: UTF8.self)
  let volume = LogLevelControl(.info)
  for format in [LogFormat.json, .text] {
    let line = LineLogHandler(format: format, volume: volume)
      .line(.info, text, fields: ["field": "\(text)"])
    try hold(
      line.last == 0x0A && line.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7F },
      "a line is one line")
    guard format == .json else { continue }
    let read = try? JSONDecoder().decode(Line.self, from: Data(line))
    try hold(read?.message == text && read?.field == text, "a line of JSON says what was said")
  }
}

/// A line for a terminal.
func writePlainText(_ bytes: [UInt8]) throws(BrokenPromise) {
  let text = String(decoding: bytes, as: UTF8.self)
  let shown = text.printable
  try hold(
    shown.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) },
    "no control characters")
  try hold(shown.unicodeScalars.count == text.unicodeScalars.count, "nothing else is changed")
}

/// A piece of the status page with foreign bytes in it, as text and in an attribute.
func writePage(_ bytes: [UInt8]) throws(BrokenPromise) {
  let text = String(decoding: bytes, as: UTF8.self)
  let page: HTML = "<p title=\"\(text)\">\(text)</p>"
  let marks = page.text.unicodeScalars
  try hold(marks.count { $0 == "<" } == 2 && marks.count { $0 == ">" } == 2, "no other element")
  try hold(marks.count { $0 == "\"" } == 2, "no other attribute")
  try hold(
    marks.allSatisfy { $0.value >= 0x20 || "\t\n".unicodeScalars.contains($0) },
    "no control characters")
}
