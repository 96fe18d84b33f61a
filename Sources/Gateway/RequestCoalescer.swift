internal import Synchronization

/// Joins requests that need the same answer: the first one asks, and the others wait for its answer without a thread.
final class RequestCoalescer<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
  private let waiting = Mutex<[Key: [Waiter]]>([:])

  /// Joins those who wait for the same answer.
  ///
  /// - Returns: `false` for the first one, which has to ask and then to call `complete`.
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

  /// Joins those who wait for the same answer, if one is asking already.
  func joinIfAsked(_ waiter: Waiter, _ key: Key) -> Bool {
    waiting.withLock { waiting in
      guard waiting[key] != nil else { return false }
      waiting[key]?.append(waiter)
      return true
    }
  }

  /// Begins to ask, unless one is asking already. Never waits.
  ///
  /// - Returns: whether the caller has to ask and then to call `complete`.
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
  func complete(_ key: Key) -> [Waiter] {
    waiting.withLock { $0.removeValue(forKey: key) ?? [] }
  }
}
