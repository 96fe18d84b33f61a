internal import CLinux
internal import Glibc

/// A descriptor that can be read when a time has come.
///
/// It stays set while the loop waits and turns; a time limit of `epoll_wait`'s own is set and taken back at each wait.
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
    // From now on, and not at a time: libfaketime takes a time for one of its calendar. Zero would unset it.
    _ = clinux_set_alarm(descriptor, max(1, due - steadyNanoseconds()))
  }

  /// To be called when it has rung.
  mutating func clear() {
    var count: UInt64 = 0
    _ = unsafe read(descriptor, &count, MemoryLayout<UInt64>.size)
    time = nil
  }
}
