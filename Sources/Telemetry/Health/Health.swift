package import Primitives
internal import Synchronization

/// The last results of the health checks.
package final class Health: Sendable {
  private struct State {
    var verdicts = [Verdict](repeating: .unknown, count: Need.allCases.count)
    /// When each result last changed.
    var since = [UnixTime?](repeating: nil, count: Need.allCases.count)
    var isStopping = false
  }

  private let state = Mutex(State())

  package init() {}

  package subscript(need: Need) -> Verdict { state.withLock { $0.verdicts[need.rawValue] } }

  /// Since when a dependency is up or down; `nil` before the first check.
  package func since(_ need: Need) -> UnixTime? { state.withLock { $0.since[need.rawValue] } }

  /// - Returns: the result before.
  package func learn(_ need: Need, _ verdict: Verdict, at now: UnixTime = .now()) -> Verdict {
    state.withLock { state in
      let before = state.verdicts[need.rawValue]
      state.verdicts[need.rawValue] = verdict
      if before.state != verdict.state { state.since[need.rawValue] = now }
      return before
    }
  }

  /// No more requests are taken.
  package func beginStop() { state.withLock { $0.isStopping = true } }

  /// Why requests can't be offloaded now; empty when they can.
  package var reasonsNotReady: [String] {
    let (verdicts, isStopping) = state.withLock { ($0.verdicts, $0.isStopping) }
    var reasons = isStopping ? ["listener: bloblo stops"] : []
    for need in Need.allCases where need.isForReadiness {
      let verdict = verdicts[need.rawValue]
      if !verdict.isUsable { reasons.append("\(need.word): \(verdict.sentence)") }
    }
    return reasons
  }
}
