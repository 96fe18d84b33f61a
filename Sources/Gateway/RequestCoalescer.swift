internal import Primitives
internal import Synchronization

/// Joins requests that need the same answer: the first one asks, and the others wait for its answer without a thread.
final class RequestCoalescer<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
  private let questions = Mutex(Questions<Key, Waiter>())

  /// Joins those who wait for the same answer.
  ///
  /// - Returns: `false` for the first one, which has to ask and then to call `complete`.
  func join(_ waiter: Waiter, _ key: Key) -> Bool {
    questions.withLock { questions in
      if questions.add(waiter, to: key) { return true }
      questions.begin(key)
      return false
    }
  }

  /// Joins those who wait for the same answer, if one is asking already.
  func joinIfAsked(_ waiter: Waiter, _ key: Key) -> Bool {
    questions.withLock { $0.add(waiter, to: key) }
  }

  /// Begins to ask, unless one is asking already. Never waits.
  ///
  /// - Returns: whether the caller has to ask and then to call `complete`.
  func begin(_ key: Key) -> Bool {
    questions.withLock { questions in
      guard questions.slot(of: key) == nil else { return false }
      questions.begin(key)
      return true
    }
  }

  /// Ends the asking.
  ///
  /// - Returns: those who have joined meanwhile.
  func complete(_ key: Key) -> [Waiter] {
    questions.withLock { $0.end(key) }
  }
}

/// The questions that are being asked, and who waits for them.
///
/// Not a dictionary: to remove a key, that one hashes the neighbours too. Of thousands of questions these are no longer
/// in the processor's caches.
private struct Questions<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
  private struct Question {
    let key: Key
    let hash: UInt64
    var waiters: [Waiter] = []
  }

  private var slots: [Question?] = []
  private var free: [Int] = []
  private var index = SlotIndex()

  func slot(of key: Key) -> Int? { slot(of: key, Self.hash(of: key)) }

  mutating func add(_ waiter: Waiter, to key: Key) -> Bool {
    guard let slot = slot(of: key) else { return false }
    slots[slot]?.waiters.append(waiter)
    return true
  }

  /// - Parameter key: of no question yet.
  mutating func begin(_ key: Key) {
    let question = Question(key: key, hash: Self.hash(of: key))
    let slot = free.popLast() ?? slots.count
    if slot < slots.count { slots[slot] = question } else { slots.append(question) }
    index.insert(slot, of: question.hash)
  }

  mutating func end(_ key: Key) -> [Waiter] {
    let hash = Self.hash(of: key)
    guard let slot = slot(of: key, hash) else { return [] }
    index.remove(slot, of: hash)
    free.append(slot)
    return slots[slot].take()?.waiters ?? []
  }

  private func slot(of key: Key, _ hash: UInt64) -> Int? {
    index.slot(of: hash) { slots[$0]?.key == key }
  }

  /// By this process's own key.
  private static func hash(of key: Key) -> UInt64 { UInt64(truncatingIfNeeded: key.hashValue) }
}
