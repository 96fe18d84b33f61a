internal import Primitives
internal import Synchronization

/// A bounded cache of values that each hold for a time.
///
/// A full cache evicts its oldest entry, unless that was used since the last time: then it goes to the end of the
/// queue (the CLOCK algorithm, Corbató 1968). Nothing is swept: an expired entry is a miss and is evicted in its
/// turn. The cache is split into shards, so that threads rarely meet.
final class TTLCache<Key: Spread & Sendable, Value: Sendable>: Sendable {
  /// A power of two.
  private static var shardCount: Int { 16 }

  private let shards: [Locked<CacheShard<Key, Value>>]
  private let shardLimit: Int

  /// - Parameter limit: entries at most.
  init(limit: Int) {
    shardLimit = max(1, limit / Self.shardCount)
    shards = (0..<Self.shardCount).map { _ in Locked(CacheShard()) }
  }

  /// The value of `key`, unless it has expired.
  func value(of key: Key, at now: Int64) -> Value? { use(key, at: now) { $0 } }

  /// The same, for a caller that changes the value; its time stays the same.
  func use<Result>(_ key: Key, at now: Int64, _ body: (inout Value) -> Result) -> Result? {
    shard(of: key).state.withLock { shard in
      guard let index = shard.entries.index(forKey: key), shard.entries.values[index].end > now
      else {
        shard.counts.misses += 1
        return nil
      }
      shard.entries.values[index].isUsed = true
      shard.counts.hits += 1
      return body(&shard.entries.values[index].value)
    }
  }

  /// The same, without counting a hit or a miss.
  func peek(_ key: Key, at now: Int64) -> Value? {
    shard(of: key).state.withLock { shard in
      guard let entry = shard.entries[key], entry.end > now else { return nil }
      return entry.value
    }
  }

  /// Keeps `value` until `end`, which is a `Moment.steady`.
  func keep(_ value: Value, of key: Key, until end: Int64, at now: Int64) {
    shard(of: key).state.withLock { shard in
      let entry = CacheShard<Key, Value>.Entry(value: value, end: end)
      guard shard.entries.updateValue(entry, forKey: key) == nil else { return }
      shard.order.append(key)
      if shard.entries.count > shardLimit { shard.evict(at: now) }
    }
  }

  /// Expires `key`'s value.
  func forget(_ key: Key) {
    shard(of: key).state.withLock { shard in
      guard let index = shard.entries.index(forKey: key) else { return }
      shard.entries.values[index].end = .min
    }
  }

  /// Expires all values whose keys match. Goes through every entry.
  func forget(where isMeant: (Key) -> Bool) {
    for shard in shards {
      shard.state.withLock { shard in
        for index in shard.entries.indices where isMeant(shard.entries[index].key) {
          shard.entries.values[index].end = .min
        }
      }
    }
  }

  var counts: CacheCounts {
    shards.reduce(into: CacheCounts()) { sum, shard in
      shard.state.withLock { shard in
        sum.entries += shard.entries.count
        sum.hits += shard.counts.hits
        sum.misses += shard.counts.misses
        sum.evictions += shard.counts.evictions
      }
    }
  }

  private func shard(of key: Key) -> Locked<CacheShard<Key, Value>> {
    shards[Int(truncatingIfNeeded: key.spread) & (Self.shardCount - 1)]
  }
}

private struct CacheShard<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  struct Entry: Sendable {
    var value: Value
    /// `Moment.steady`.
    var end: Int64
    var isUsed = false
  }

  var entries: [Key: Entry] = [:]
  /// The keys of `entries`, each once, the oldest first.
  var order = RingBuffer<Key>()
  var counts = CacheCounts()

  mutating func evict(at now: Int64) {
    // Second chances are bounded: the newest entry alone is not old.
    for _ in 0..<8 {
      guard let key = order.popFirst(), let index = entries.index(forKey: key) else { return }
      if entries.values[index].isUsed, entries.values[index].end > now {
        entries.values[index].isUsed = false
        order.append(key)
      } else {
        remove(at: index, now)
        return
      }
    }
    guard let key = order.popFirst(), let index = entries.index(forKey: key) else { return }
    remove(at: index, now)
  }

  private mutating func remove(at index: Dictionary<Key, Entry>.Index, _ now: Int64) {
    if entries.values[index].end > now { counts.evictions += 1 }
    entries.remove(at: index)
  }
}

/// The counters of a cache.
package struct CacheCounts: Sendable, Equatable {
  package var entries = 0
  package var hits = 0
  package var misses = 0
  /// Entries that were evicted before they expired.
  package var evictions = 0
}

/// A key that chooses its shard without being hashed.
package protocol Spread: Hashable {
  /// Any bits that are spread evenly, the lowest at least.
  var spread: UInt64 { get }
}

/// A mutex that can stand in an array.
private final class Locked<State: Sendable>: Sendable {
  let state: Mutex<State>

  init(_ state: State) { self.state = Mutex(state) }
}
