internal import Synchronization

/// Stops asking a server that does not answer: after some failures in a row it is left alone for seconds,
/// then asked by one request alone.
///
/// Source: Nygard, "Release It!", "Circuit Breaker".
package final class Breaker: Sendable {
  private static let failureLimit = 5
  private static let restMilliseconds: Int64 = 3000

  private struct State {
    var failures = 0
    /// `Moment.steady`.
    var restEnd: Int64 = .min
  }

  private let state = Mutex(State())

  package init() {}

  /// Whether the server may not be asked now. A `false` after a rest is for one asker: its answer decides.
  package func isOpen(at now: Int64) -> Bool {
    state.withLock { state in
      guard state.failures >= Self.failureLimit else { return false }
      guard now >= state.restEnd else { return true }
      // This asker probes; the others go on resting meanwhile.
      state.restEnd = now + Self.restMilliseconds
      return false
    }
  }

  /// Whether the server is being left alone; takes no probe.
  package func isResting(at now: Int64) -> Bool {
    state.withLock { $0.failures >= Self.failureLimit && now < $0.restEnd }
  }

  package func record(isSuccess: Bool, at now: Int64) {
    state.withLock { state in
      guard !isSuccess else {
        state.failures = 0
        return
      }
      state.failures += 1
      if state.failures >= Self.failureLimit { state.restEnd = now + Self.restMilliseconds }
    }
  }
}
