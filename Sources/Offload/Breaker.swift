internal import Synchronization

/// Stops asking a server that does not answer: after some failures in a row it is left alone for seconds,
/// then asked by one request alone.
///
/// Source: Nygard, "Release It!", "Circuit Breaker".
package final class Breaker: Sendable {
  private static let failureLimit = 5
  private static let restMilliseconds: Int64 = 3000
  private static let silenceMilliseconds: Int64 = 1000

  private struct State {
    var failures = 0
    /// `Moment.steady`.
    var restEnd: Int64 = .min
    /// When the server was last asked or heard, `Moment.steady`; the distant past after a failure.
    var contact: Int64 = .min / 2
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

  /// Whether nothing has been heard of the server for a second, so that what is remembered of it says
  /// nothing of its being there.
  package func isSilent(at now: Int64) -> Bool {
    state.withLock { now - $0.contact > Self.silenceMilliseconds }
  }

  /// The same, and `true` for one asker, who then asks.
  package func takeSilence(at now: Int64) -> Bool {
    state.withLock { state in
      guard now - state.contact > Self.silenceMilliseconds else { return false }
      state.contact = now
      return true
    }
  }

  /// The server has answered, and said nothing: it is there, but what is remembered of it is no surer.
  package func recordSilentAnswer() { state.withLock { $0.failures = 0 } }

  package func record(isSuccess: Bool, at now: Int64) {
    state.withLock { state in
      state.contact = isSuccess ? max(state.contact, now) : .min / 2
      guard !isSuccess else {
        state.failures = 0
        return
      }
      state.failures += 1
      if state.failures >= Self.failureLimit { state.restEnd = now + Self.restMilliseconds }
    }
  }
}
