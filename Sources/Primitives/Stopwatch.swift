internal import Glibc

/// The time since it was started, by the steady clock.
package struct Stopwatch: Sendable {
  private let start: Int64

  package init() { start = Self.now() }

  /// To the clock's own precision, some tens of nanoseconds.
  package var nanoseconds: Int64 { Self.now() - start }

  private static func now() -> Int64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }
}

extension Duration {
  /// Whole nanoseconds.
  package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
