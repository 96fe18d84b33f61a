import FoundationEssentials
import Logging
import Primitives
import Testing

@testable import Telemetry

struct RepeatLimitTests {
  private enum Kind: Int, CaseIterable { case a, b }

  @Test func `the first is let through, the others are counted, kinds apart`() {
    let limit = LogRateLimiter<Kind>()
    #expect(limit.allow(.a, at: 1000) == 0)
    #expect(limit.allow(.a, at: 1001) == nil)
    #expect(limit.allow(.a, at: 10_999) == nil)
    #expect(limit.allow(.b, at: 10_999) == 0)
    #expect(limit.allow(.a, at: 11_000) == 2)
    #expect(limit.allow(.a, at: 11_001) == nil)
  }

  @Test func `what nobody comes to tell is told when it is due`() {
    let limit = LogRateLimiter<Kind>()
    for time in 0..<5 as Range<Int64> { _ = limit.allow(.b, at: time) }
    #expect(limit.takeDue(at: 9999).isEmpty)
    #expect(limit.takeDue(at: 10_000).map(\.count) == [4])
    #expect(limit.takeDue(at: 30_000).isEmpty)
  }

  @Test func `a burst goes through`() {
    let limit = LogRateLimiter<Kind>(burst: 3)
    #expect((0..<5).map { limit.allow(.a, at: $0) } == [0, 0, 0, nil, nil])
    #expect(limit.allow(.a, at: 10_000) == 2)
  }
}

struct LogVolumeTests {
  @Test func `more and less stop at the ends`() {
    let volume = LogLevelControl(.info)
    #expect(!volume.isDebug)
    volume.moreVerbose()
    #expect(volume.level == .debug)
    #expect(volume.isDebug)
    for _ in 0..<9 { volume.moreVerbose() }
    #expect(volume.level == .trace)
    for _ in 0..<9 { volume.lessVerbose() }
    #expect(volume.level == .critical)
  }

  @Test func `a change is seen by loggers that are there`() {
    let volume = LogLevelControl(.info)
    let logger = Logger(label: "test") { _ in LineLogHandler(format: .json, volume: volume) }
    #expect(logger.logLevel == .info)
    volume.moreVerbose()
    #expect(logger.logLevel == .debug)
  }
}

struct LineTests {
  @Test(arguments: [LogFormat.json, .text]) func `a line stays a line`(format: LogFormat) {
    let handler = LineLogHandler(format: format, volume: LogLevelControl(.debug))
    let line = handler.line(.info, "m\n", fields: ["f": "a\n\"b\\\u{1B}\u{7F}\0é"])
    #expect(line.filter { $0 < 0x20 || $0 == 0x7F } == [10])
    #expect(line.last == 10)
    #expect(String(decoding: line, as: UTF8.self).contains(#""a\u000a\"b\\\u001b\u007f\u0000é""#))
  }

  @Test func `numbers are numbers, and a line stays one line`() throws {
    let handler = LineLogHandler(format: .json, volume: LogLevelControl(.info))
    let line = handler.line(
      .info, "a\nb",
      fields: [
        "n": .stringConvertible(Int64(7)), "ms": .stringConvertible(1.5), "text": "7",
        "bad": .stringConvertible(Double.nan), "words": "x\"y\r\n",
      ])
    #expect(line.filter { $0 == UInt8(ascii: "\n") }.count == 1)
    let text = String(decoding: line, as: UTF8.self)
    #expect(text.contains(#""n":7"#))
    #expect(text.contains(#""ms":1.5"#))
    #expect(text.contains(#""text":"7""#))
    #expect(text.contains(#""bad":"nan""#))
  }

  @Test(arguments: [
    ("abc-1_2.3:4+5/6=", true), ("", false), ("a b", false), ("a\"b", false), ("a\nb", false),
    ("ü", false), ("<b>", false),
  ])
  func `an identifier is sane or not`(text: String, isSaneText: Bool) {
    #expect(isSane(text) == isSaneText)
  }

  @Test func `an identifier has its length`() {
    #expect(isSane(String(repeating: "a", count: 128)))
    #expect(!isSane(String(repeating: "a", count: 129)))
  }
}

private func isSane(_ text: String) -> Bool {
  let bytes = Array(text.utf8)
  return RequestID.isSane(bytes.span)
}
