// Whichever of the two is read first defines timespec.
internal import CLinux
internal import Glibc

/// Something that an event loop calls later, unless it is cancelled before.
package final class LoopTimer {
  /// On the steady clock, in nanoseconds.
  fileprivate let due: Int64
  private var body: (() -> Void)?

  fileprivate init(due: Int64, _ body: @escaping () -> Void) {
    self.due = due
    self.body = body
  }

  package func cancel() { body = nil }

  fileprivate var isCancelled: Bool { body == nil }

  func fire() {
    let body = body
    self.body = nil
    body?()
  }
}

/// Timers by the time they are due: a binary heap. Cancelled ones leave when they are due, or when they are
/// more than half of all.
struct TimerQueue {
  private var heap: [LoopTimer] = []
  private var sizeAfterSweep = 64
  /// The steady clock, as it was last looked at.
  private var now: Int64 = 0

  mutating func add(after delay: Duration, _ body: @escaping () -> Void) -> LoopTimer {
    let (seconds, attoseconds) = min(max(delay, .zero), .seconds(1 << 30)).components
    let timer = LoopTimer(
      due: steadyNanoseconds() + seconds * 1_000_000_000 + attoseconds / 1_000_000_000, body)
    if heap.count > 2 * sizeAfterSweep { sweep() }
    heap.append(timer)
    rise(from: heap.count - 1)
    return timer
  }

  /// What `epoll_wait` takes: -1 when there is no timer.
  var waitMilliseconds: Int32 {
    guard let first = heap.first else { return -1 }
    // Rounded up: a timer that is not due yet would have the loop turn without need.
    let left = (first.due - now + 999_999) / 1_000_000
    return Int32(clamping: max(0, left))
  }

  /// Once a turn of the loop: `popDue` and `waitMilliseconds` go by it.
  mutating func lookAtClock() {
    if !heap.isEmpty { now = steadyNanoseconds() }
  }

  /// Takes the next timer that is due.
  mutating func popDue() -> LoopTimer? {
    guard let first = heap.first, first.due <= now else { return nil }
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    sink(from: 0)
    return first
  }

  private mutating func sweep() {
    heap.removeAll(where: \.isCancelled)
    for i in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(from: i) }
    sizeAfterSweep = max(64, heap.count)
  }

  private mutating func rise(from index: Int) {
    var child = index
    while child > 0, case let parent = (child - 1) / 2, heap[child].due < heap[parent].due {
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func sink(from index: Int) {
    var parent = index
    while case var child = 2 * parent + 1, child < heap.count {
      if child + 1 < heap.count, heap[child + 1].due < heap[child].due { child += 1 }
      guard heap[child].due < heap[parent].due else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }
}

private func steadyNanoseconds() -> Int64 {
  var now = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &now)
  return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}
