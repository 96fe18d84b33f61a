package import Primitives
internal import Synchronization

/// Bytes by delivery path, for each minute of the last hour and for the day. It reads the counters now and then, so
/// that counting needs no clock.
package final class History: Sendable {
  /// The bytes of a span of time, by delivery path.
  package struct Bytes: Sendable, Equatable {
    var paths: [Int64]

    package init(paths: [Int64] = [Int64](repeating: 0, count: DeliveryPath.allCases.count)) {
      self.paths = paths
    }

    package subscript(path: DeliveryPath) -> Int64 { paths[path.rawValue] }

    package var total: Int64 { paths.reduce(0, &+) }

    package var offloaded: Int64 {
      DeliveryPath.allCases.filter(\.isOffloaded).reduce(0) { $0 &+ self[$1] }
    }

    /// The offloaded share in percent; `nil` without any bytes.
    package var share: Int64? {
      total == 0 ? nil : Int64((Double(offloaded) / Double(total) * 100).rounded(.down))
    }

    package static func + (a: Bytes, b: Bytes) -> Bytes {
      Bytes(paths: zip(a.paths, b.paths).map(&+))
    }
  }

  package static let minutes = 60

  private struct State {
    var last = Bytes()
    /// The minute of the newest entry of `ring`, counted from 1970.
    var minute: Int64
    /// The oldest first.
    var ring = [Bytes](repeating: Bytes(), count: History.minutes)
    var day: Int64
    var today = Bytes()
  }

  private let state: Mutex<State>

  package init(at now: UnixTime) {
    state = Mutex(State(minute: now.seconds / 60, day: now.seconds / 86_400))
  }

  /// Adds the counters' new values.
  package func take(_ counters: Counters<DeliveryPath>, at now: UnixTime) {
    let total = Bytes(paths: counters.values.map(\.value))
    state.withLock { state in
      // A counter that has fallen adds nothing until it is back at its old value.
      let more = Bytes(paths: zip(total.paths, state.last.paths).map { max(0, $0 &- $1) })
      state.last = Bytes(paths: zip(total.paths, state.last.paths).map(max))
      let (minute, day) = (now.seconds / 60, now.seconds / 86_400)
      // After a clock was set back, the newest minute goes on.
      for _ in 0..<min(max(0, minute - state.minute), Int64(Self.minutes)) {
        state.ring.removeFirst()
        state.ring.append(Bytes())
      }
      state.minute = max(state.minute, minute)
      state.ring[Self.minutes - 1] = state.ring[Self.minutes - 1] + more
      if day != state.day {
        state.today = Bytes()
        state.day = day
      }
      state.today = state.today + more
    }
  }

  /// Of the last hour, the oldest minute first, and of the day by UTC.
  package var reading: (minutes: [Bytes], today: Bytes) { state.withLock { ($0.ring, $0.today) } }
}
