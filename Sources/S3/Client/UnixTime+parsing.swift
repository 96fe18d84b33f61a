internal import Primitives

extension UnixTime {
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// - Parameter text: RFC 9110's preferred form, `Fri, 21 Dec 2012 00:00:00 GMT`.
  init?(httpDate text: some StringProtocol) {
    let words = text.split(separator: " ")
    guard words.count == 6, words[5] == "GMT",
      let month = Self.months.firstIndex(where: { $0 == words[2] })
    else { return nil }
    let time = words[4].split(separator: ":", omittingEmptySubsequences: false)
    self.init(year: words[3], month: String(month + 1), day: words[1], time: time)
  }

  /// - Parameter text: `2010-11-10T20:48:33.000Z`, with or without the fraction, which is dropped.
  init?(iso8601 text: some StringProtocol) {
    let halves = text.split(separator: "T", omittingEmptySubsequences: false)
    guard halves.count == 2, halves[1].hasSuffix("Z") else { return nil }
    let date = halves[0].split(separator: "-", omittingEmptySubsequences: false)
    guard date.count == 3 else { return nil }
    let time = halves[1].dropLast().prefix { $0 != "." }
      .split(separator: ":", omittingEmptySubsequences: false)
    self.init(year: date[0], month: date[1], day: date[2], time: time)
  }

  private init?(
    year: some StringProtocol, month: some StringProtocol, day: some StringProtocol,
    time: [some StringProtocol]
  ) {
    func number(_ text: some StringProtocol, _ range: ClosedRange<Int64>) -> Int64? {
      guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      return Int64(text).flatMap { range.contains($0) ? $0 : nil }
    }
    guard time.count == 3, let year = number(year, 0...9999), let month = number(month, 1...12),
      let day = number(day, 1...31), let hour = number(time[0], 0...23),
      let minute = number(time[1], 0...59), let second = number(time[2], 0...60)
    else { return nil }
    let date = CivilDate(year: year, month: month, dayOfMonth: day)
    self.init(seconds: ((date.day * 24 + hour) * 60 + minute) * 60 + second)
  }
}
