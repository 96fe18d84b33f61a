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
  mutating func add(after delay: Duration, _ body: @escaping () -> Void) -> LoopTimer {
    let (seconds, attoseconds) = min(max(delay, .zero), .seconds(1 << 30)).components
    let timer = LoopTimer(
      due: steadyNanoseconds() + seconds * 1_000_000_000 + attoseconds / 1_000_000_000, body)
    if heap.count > 2 * sizeAfterSweep { sweep() }
    heap.append(timer)
    rise(from: heap.count - 1)
    return timer
  }

  /// When the first timer is due, on the steady clock, in nanoseconds; `nil` when there is none.
  var due: Int64? { heap.first?.due }

  /// Takes the next timer that is due.
  mutating func popDue(at now: Int64) -> LoopTimer? {
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

/// The clock that timers go by.
func steadyNanoseconds() -> Int64 {
  var now = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &now)
  return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}
