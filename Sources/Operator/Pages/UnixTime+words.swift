internal import Glibc
internal import Primitives

extension UnixTime {
  /// `2026-11-24T10:13:56Z`
  var iso: String { formatted("%Y-%m-%dT%H:%M:%SZ") }

  /// `10:13:56`, UTC.
  var clock: String { formatted("%H:%M:%S") }

  /// `2026-11-24`, UTC.
  var day: String { formatted("%Y-%m-%d") }

  /// `1 minute ago`. A time in the future, after a clock was set back, counts as now.
  func ago(at now: UnixTime) -> String {
    let seconds = max(0, now - self)
    let (count, unit) =
      switch seconds {
      case 0..<60: (seconds, "second")
      case 60..<3600: (seconds / 60, "minute")
      case 3600..<86_400: (seconds / 3600, "hour")
      default: (seconds / 86_400, "day")
      }
    if seconds == 0 { return "now" }
    return "\(count) \(unit)\(count == 1 ? "" : "s") ago"
  }

  private func formatted(_ format: String) -> String {
    var parts = unsafe tm()
    var time = time_t(seconds)
    var text = [CChar](repeating: 0, count: 32)
    _ = unsafe gmtime_r(&time, &parts)
    let length = unsafe strftime(&text, text.count, format, &parts)
    return String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
