internal import CLinux
internal import Glibc
internal import Threading

/// Finds out whether whoever waits for events still takes them: one is sent, and must come back as a
/// beat.
final class Pulse: Sendable {
  /// To be watched, not one-shot.
  let descriptor: Int32
  private let beats = Monitor<UInt64>(0)

  init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    precondition(descriptor >= 0, "eventfd: \(systemWords(for: errno))")
  }

  deinit { _ = close(descriptor) }

  /// Called when `descriptor` is readable.
  func beat() {
    var count: eventfd_t = 0
    guard unsafe eventfd_read(descriptor, &count) == 0 else { return }
    beats.update { $0 += 1 }
  }

  func isFelt(within limit: Duration) -> Bool {
    let before = beats.withLock { $0 }
    _ = eventfd_write(descriptor, 1)
    return beats.wait(for: limit) { $0 != before ? true : nil } ?? false
  }
}
