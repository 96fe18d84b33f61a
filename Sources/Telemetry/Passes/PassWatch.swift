package import Offload
internal import Synchronization

/// Counts the decisions on GETs of one location's blobs, and finds out when nearly all pass for one reason.
package final class PassWatch: Sendable {
  /// What the watch has found in the last minutes.
  package struct Finding: Sendable, Equatable {
    package let reason: PassReason.Kind
    /// How many of the blobs passed for this reason.
    package let passed: Int64
    package let blobs: Int64
  }

  package static let minutes = 10
  /// With fewer blobs there is no finding.
  static let leastBlobs: Int64 = 20
  /// Nearly all, in percent.
  static let nearlyAll: Int64 = 90

  private struct State {
    var minute: Int64
    var last: [Int64]
    /// The counts of whole minutes, the oldest first: passes by reason, and last all that did not pass.
    var ring: [[Int64]] = []
    var finding: Finding?
  }

  private let given = Counter()
  private let passes = Counters<PassReason.Kind>()
  private let state: Mutex<State>

  /// - Parameter now: a `Moment.steady`.
  package init(at now: Int64) {
    let none = [Int64](repeating: 0, count: PassReason.Kind.allCases.count + 1)
    state = Mutex(State(minute: now / 60_000, last: none))
  }

  /// Counts a blob that a client gets otherwise than by a pass.
  package func give() { given.add() }

  package func pass(_ reason: PassReason.Kind) { passes[reason].add() }

  /// Looks at the last ten minutes; `nil` when nothing stands out. To be called every few seconds.
  ///
  /// - Parameter now: a `Moment.steady`.
  package func look(at now: Int64) -> Finding? {
    let totals = passes.values.map(\.value) + [given.value]
    return state.withLock { state in
      let minutes = now / 60_000 - state.minute
      guard minutes > 0 else { return state.finding }
      state.minute += minutes
      state.ring.append(zip(totals, state.last).map { $0 &- $1 })
      // No call for longer means no request for longer.
      for _ in 1..<max(1, min(minutes, Int64(Self.minutes) + 1)) {
        state.ring.append([Int64](repeating: 0, count: totals.count))
      }
      state.ring.removeFirst(max(0, state.ring.count - Self.minutes))
      state.last = totals
      state.finding = Self.finding(in: state.ring)
      return state.finding
    }
  }

  private static func finding(in ring: [[Int64]]) -> Finding? {
    // Blobs must have been asked for at both ends of the ten minutes: a burst does not count.
    let busy = ring.indices.filter { ring[$0].contains { $0 > 0 } }
    guard ring.count == minutes, let first = busy.first, let last = busy.last,
      last - first >= minutes - 2
    else { return nil }
    let blobs = ring.joined().reduce(0, &+)
    guard blobs >= leastBlobs else { return nil }
    for kind in PassReason.Kind.allCases where !kind.isIntended {
      let passed = ring.reduce(0) { $0 &+ $1[kind.rawValue] }
      if passed * 100 >= blobs * nearlyAll {
        return Finding(reason: kind, passed: passed, blobs: blobs)
      }
    }
    return nil
  }
}

extension PassReason.Kind {
  /// Whether the operator has chosen that blobs pass.
  fileprivate var isIntended: Bool {
    switch self {
    case .delivery, .switchedOff, .purged: true
    default: false
    }
  }
}
