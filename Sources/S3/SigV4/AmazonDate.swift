package import Primitives

/// An instant as SigV4 writes it: ISO 8601's basic format, UTC, `20130524T000000Z`.
package struct AmazonDate: Sendable {
  /// Days since 1970-01-01.
  package let day: Int64
  /// 16 bytes, of which the first 8 are the date.
  package let bytes: InlineArray<16, UInt8>

  package static let dayByteCount = 8

  /// - Parameter time: within the years 0 to 9999; else the nearest instant that is.
  package init(_ time: UnixTime) {
    let seconds = min(max(time.seconds, -62_167_219_200), 253_402_300_799)
    let (day, second) = seconds.flooredQuotientAndRemainder(dividingBy: 86_400)
    self.day = day
    let date = CivilDate(day: day)
    var bytes = InlineArray<16, UInt8>(repeating: 0)
    func put(_ number: Int64, digits: Int, at start: Int) {
      var rest = number
      for i in (start..<start + digits).reversed() {
        bytes[i] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      }
    }
    put(date.year, digits: 4, at: 0)
    put(date.month, digits: 2, at: 4)
    put(date.dayOfMonth, digits: 2, at: 6)
    bytes[8] = UInt8(ascii: "T")
    put(second / 3600, digits: 2, at: 9)
    put(second / 60 % 60, digits: 2, at: 11)
    put(second % 60, digits: 2, at: 13)
    bytes[15] = UInt8(ascii: "Z")
    self.bytes = bytes
  }

  package var string: String {
    var text: [UInt8] = []
    append(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  func append(to text: inout [UInt8]) {
    for i in bytes.indices { text.append(bytes[i]) }
  }

  func appendDay(to text: inout [UInt8]) {
    for i in 0..<Self.dayByteCount { text.append(bytes[i]) }
  }
}
