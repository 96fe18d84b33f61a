internal import Synchronization

/// Limits log lines of one kind: the first ones in an interval are logged, and the next line has the number of those
/// that were not. A dead server must not fill the log.
final class LogRateLimiter<Kind: RawRepresentable & CaseIterable & Sendable>: Sendable
where Kind.RawValue == Int {
  static var intervalMilliseconds: Int64 { 10_000 }
  /// Events of a kind that are logged in one interval.
  private let burst: Int

  private struct Silence {
    /// `Moment.steady`
    var end: Int64 = .min
    var allowed = 0
    var count = 0
  }

  private let silences = Mutex([Silence](repeating: Silence(), count: Kind.allCases.count))

  init(burst: Int = 1) { self.burst = burst }

  /// - Parameter now: a `Moment.steady`.
  /// - Returns: how many events were not logged since the last line; `nil` when this one is not logged either.
  func allow(_ kind: Kind, at now: Int64) -> Int? {
    silences.withLock { silences in
      guard now >= silences[kind.rawValue].end else {
        if silences[kind.rawValue].allowed < burst {
          silences[kind.rawValue].allowed += 1
          return 0
        }
        silences[kind.rawValue].count += 1
        return nil
      }
      let count = silences[kind.rawValue].count
      silences[kind.rawValue] = Silence(
        end: now + Self.intervalMilliseconds, allowed: 1)
      return count
    }
  }

  /// The kinds whose interval has ended with events that were not logged: their number is logged now.
  func takeDue(at now: Int64) -> [(kind: Kind, count: Int)] {
    silences.withLock { silences in
      Kind.allCases.compactMap { kind in
        let silence = silences[kind.rawValue]
        guard silence.count > 0, now >= silence.end else { return nil }
        silences[kind.rawValue] = Silence(
          end: now + Self.intervalMilliseconds, allowed: 1)
        return (kind, silence.count)
      }
    }
  }
}
