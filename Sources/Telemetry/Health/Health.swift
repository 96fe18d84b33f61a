package import Primitives
internal import Synchronization

/// The last results of the health checks.
package final class Health: Sendable {
  private struct State {
    var statuses = [HealthStatus](repeating: .unknown, count: Dependency.allCases.count)
    /// When each result last changed.
    var since = [UnixTime?](repeating: nil, count: Dependency.allCases.count)
    var isStopping = false
  }

  private let state = Mutex(State())

  package init() {}

  package subscript(dependency: Dependency) -> HealthStatus {
    state.withLock { $0.statuses[dependency.rawValue] }
  }

  /// Since when a dependency is up or down; `nil` before the first check.
  package func since(_ dependency: Dependency) -> UnixTime? {
    state.withLock { $0.since[dependency.rawValue] }
  }

  /// - Returns: the result before.
  package func learn(_ dependency: Dependency, _ status: HealthStatus, at now: UnixTime = .now())
    -> HealthStatus
  {
    state.withLock { state in
      let before = state.statuses[dependency.rawValue]
      state.statuses[dependency.rawValue] = status
      if before.state != status.state { state.since[dependency.rawValue] = now }
      return before
    }
  }

  /// No more requests are taken.
  package func beginStop() { state.withLock { $0.isStopping = true } }

  /// Why requests can't be offloaded now; empty when they can.
  package var reasonsNotReady: [String] {
    let (statuses, isStopping) = state.withLock { ($0.statuses, $0.isStopping) }
    var reasons = isStopping ? ["listener: bloblo stops"] : []
    for dependency in Dependency.allCases where dependency.isForReadiness {
      let status = statuses[dependency.rawValue]
      if !status.isUsable { reasons.append("\(dependency.word): \(status.sentence)") }
    }
    return reasons
  }
}
