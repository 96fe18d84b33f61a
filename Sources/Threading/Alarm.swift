internal import CLinux
internal import Glibc

/// A descriptor that can be read when a time has come.
///
/// The kernel sets it once. It would set and unset a time limit of `epoll_wait` at each wait.
///
/// Source: timerfd_create(2).
struct Alarm: ~Copyable {
  let descriptor: Int32
  /// On the steady clock, in nanoseconds; `nil` when it is not set.
  private var time: Int64?

  init() {
    descriptor = clinux_alarm()
    precondition(descriptor >= 0, "timerfd_create: error \(errno)")
  }

  deinit { close(descriptor) }

  /// Has it ring at this time, unless it rings before.
  mutating func set(_ due: Int64) {
    if let time, time <= due { return }
    time = due
    // A span, not a time: libfaketime would move a time to its own calendar. Zero would unset the alarm.
    _ = clinux_set_alarm(descriptor, max(1, due - steadyNanoseconds()))
  }

  /// To be called when it has rung.
  mutating func clear() {
    var count: UInt64 = 0
    _ = unsafe read(descriptor, &count, MemoryLayout<UInt64>.size)
    time = nil
  }
}
