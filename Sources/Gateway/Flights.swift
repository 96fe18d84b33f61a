internal import Synchronization

/// What is being asked now: a request that needs the same answer waits for it, and costs no thread
/// meanwhile.
final class Flights<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
  private let waiting = Mutex<[Key: [Waiter]]>([:])

  /// Joins those who wait for the same answer.
  ///
  /// - Returns: `false` for the first one, who has to ask, and then to `land`.
  func join(_ waiter: Waiter, _ key: Key) -> Bool {
    waiting.withLock { waiting in
      guard waiting[key] != nil else {
        waiting[key] = []
        return false
      }
      waiting[key]?.append(waiter)
      return true
    }
  }

  /// Joins those who wait for the same answer, if it is being asked for.
  func joinIfAsked(_ waiter: Waiter, _ key: Key) -> Bool {
    waiting.withLock { waiting in
      guard waiting[key] != nil else { return false }
      waiting[key]?.append(waiter)
      return true
    }
  }

  /// Begins to ask, unless that is being done; never waits.
  ///
  /// - Returns: whether the caller has to ask, and then to `land`.
  func begin(_ key: Key) -> Bool {
    waiting.withLock { waiting in
      guard waiting[key] == nil else { return false }
      waiting[key] = []
      return true
    }
  }

  /// Ends the asking.
  ///
  /// - Returns: those who have joined meanwhile.
  func land(_ key: Key) -> [Waiter] {
    waiting.withLock { $0.removeValue(forKey: key) ?? [] }
  }
}
