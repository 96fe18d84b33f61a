package import Offload
internal import Synchronization

/// Counts what becomes of the GETs of one location's blobs, and finds when nearly all pass for one reason.
package final class PassWatch: Sendable {
  /// What the last minutes were like.
  package struct Finding: Sendable, Equatable {
    package let reason: PassReason.Kind
    /// Of these blobs, so many passed for the reason.
    package let passed: Int64
    package let blobs: Int64
  }

  package static let minutes = 10
  /// Fewer blobs show nothing.
  static let leastBlobs: Int64 = 20
  /// Nearly all, in percent.
  static let nearlyAll: Int64 = 90

  private struct State {
    var minute: Int64
    var last: [Int64]
    /// What whole minutes have brought, the oldest first: passes by reason, and at the end what did not pass.
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

  /// A client gets a blob otherwise than from the registry alone.
  package func give() { given.add() }

  package func pass(_ reason: PassReason.Kind) { passes[reason].add() }

  /// What the last ten minutes were like; `nil` when nothing stands out. To be called every few seconds.
  ///
  /// - Parameter now: a `Moment.steady`.
  package func look(at now: Int64) -> Finding? {
    let totals = passes.values.map(\.value) + [given.value]
    return state.withLock { state in
      let minutes = now / 60_000 - state.minute
      guard minutes > 0 else { return state.finding }
      state.minute += minutes
      state.ring.append(zip(totals, state.last).map { $0 &- $1 })
      // Nobody looked for longer: nobody asked for anything either.
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
    // A burst is not ten minutes: blobs were asked for at both ends of them.
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
  /// Whether someone has told bloblo to pass.
  fileprivate var isIntended: Bool {
    switch self {
    case .delivery, .switchedOff, .purged: true
    default: false
    }
  }
}
