/// An instant, in whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
package struct UnixTime: Comparable, Hashable, Sendable {
  package var seconds: Int64

  package init(seconds: Int64) {
    self.seconds = seconds
  }

  package static func < (a: UnixTime, b: UnixTime) -> Bool { a.seconds < b.seconds }

  package static func + (a: UnixTime, seconds: Int64) -> UnixTime {
    UnixTime(seconds: a.seconds + seconds)
  }

  /// The number of whole seconds from `b` to `a`.
  package static func - (a: UnixTime, b: UnixTime) -> Int64 { a.seconds - b.seconds }
}
