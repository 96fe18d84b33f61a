internal import Glibc

/// State that threads share under one lock, and wait on together.
///
/// `Synchronization.Mutex` has no condition to wait for; this is a POSIX mutex with its condition
/// variable, on the monotonic clock.
@safe
package final class Monitor<State>: @unchecked Sendable {
  // @unchecked: `state` is touched only while `mutex` is held.
  private var state: State
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init(_ initial: sending State) {
    state = initial
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  /// Runs `body` with the state, and wakes nobody.
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending State) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Runs `body` with the state, then wakes all who wait.
  package func update<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending State) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    unsafe pthread_mutex_lock(mutex)
    defer {
      unsafe pthread_cond_broadcast(condition)
      unsafe pthread_mutex_unlock(mutex)
    }
    return try body(&state)
  }

  /// Runs `body` with the state, then wakes one of those who wait.
  package func updateForOne<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending State) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    unsafe pthread_mutex_lock(mutex)
    defer {
      unsafe pthread_cond_signal(condition)
      unsafe pthread_mutex_unlock(mutex)
    }
    return try body(&state)
  }

  /// Waits until `body` finds what it looks for; it is asked at once and after each update.
  ///
  /// - Parameter timeout: how long to wait; `nil` for ever.
  /// - Returns: what `body` found, or `nil` when the time was over.
  package func wait<Result>(
    for timeout: Duration? = nil, until body: (inout sending State) -> sending Result?
  ) -> sending Result? {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    var deadline = timeout.map(monotonicDeadline)
    while true {
      if let found = body(&state) { return found }
      if deadline == nil {
        unsafe pthread_cond_wait(condition, mutex)
      } else if unsafe pthread_cond_timedwait(condition, mutex, &deadline!) == ETIMEDOUT {
        return body(&state)
      }
    }
  }
}

/// The instant `timeout` from now, on the clock that `Monitor` waits by.
private func monotonicDeadline(_ timeout: Duration) -> timespec {
  var now = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &now)
  // Nothing is waited for in the past, and nothing beyond what a timespec can hold.
  let (seconds, attoseconds) = min(max(timeout, .zero), .seconds(1 << 32)).components
  let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
  return timespec(
    tv_sec: now.tv_sec + Int(seconds) + nanoseconds / 1_000_000_000,
    tv_nsec: nanoseconds % 1_000_000_000)
}
