internal import Primitives
internal import Synchronization

/// A bounded cache of values that each hold for a time.
///
/// A full cache evicts its oldest entry, unless that was used since the last time: then it counts as new (the CLOCK
/// algorithm, Corbató 1968). Nothing is swept: an expired entry is a miss and is evicted in its turn. The cache is
/// split into shards, so that threads rarely meet.
final class TTLCache<Key: CacheKey & Sendable, Value: Sendable>: Sendable {
  /// A power of two.
  private static var shardCount: Int { 16 }

  private let shards: [Locked<CacheShard<Key, Value>>]

  /// - Parameter limit: entries at most.
  init(limit: Int) {
    let shardLimit = max(1, limit / Self.shardCount)
    shards = (0..<Self.shardCount).map { _ in Locked(CacheShard(limit: shardLimit)) }
  }

  /// The value of `key`, unless it has expired.
  ///
  /// - Parameter isCounted: whether it counts as a hit or a miss.
  func value(of key: Key, at now: Int64, isCounted: Bool = true) -> Value? {
    isCounted ? use(key, at: now) { $0 } : peek(key, at: now)
  }

  /// The same, for a caller that changes the value; its time stays the same.
  func use<Result>(_ key: Key, at now: Int64, _ body: (inout Value) -> Result) -> Result? {
    let hash = key.keyedHash
    return shard(of: hash).state.withLock { shard in
      guard let slot = shard.slot(of: key, hash), shard.entries[slot].end > now else {
        shard.counts.misses += 1
        return nil
      }
      shard.entries[slot].isUsed = true
      shard.counts.hits += 1
      return body(&shard.entries[slot].value)
    }
  }

  /// The same, without counting a hit or a miss.
  func peek(_ key: Key, at now: Int64) -> Value? {
    let hash = key.keyedHash
    return shard(of: hash).state.withLock { shard in
      guard let slot = shard.slot(of: key, hash), shard.entries[slot].end > now else { return nil }
      return shard.entries[slot].value
    }
  }

  /// Keeps `value` until `end`, which is a `Moment.steady`.
  func keep(_ value: Value, of key: Key, until end: Int64, at now: Int64) {
    let entry = CacheShard<Key, Value>.Entry(key: key, hash: key.keyedHash, value: value, end: end)
    shard(of: entry.hash).state.withLock { $0.keep(entry, at: now) }
  }

  /// Expires `key`'s value.
  func forget(_ key: Key) {
    let hash = key.keyedHash
    shard(of: hash).state.withLock { shard in
      if let slot = shard.slot(of: key, hash) { shard.entries[slot].end = .min }
    }
  }

  /// Expires all values whose keys match. Goes through every entry.
  func forget(where isMeant: (Key) -> Bool) {
    for shard in shards {
      shard.state.withLock { shard in
        for slot in shard.entries.indices where isMeant(shard.entries[slot].key) {
          shard.entries[slot].end = .min
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

  private func shard(of hash: UInt64) -> Locked<CacheShard<Key, Value>> {
    shards[Int(truncatingIfNeeded: hash) & (Self.shardCount - 1)]
  }
}

private struct CacheShard<Key: CacheKey & Sendable, Value: Sendable>: Sendable {
  struct Entry: Sendable {
    let key: Key
    /// `key.keyedHash`
    let hash: UInt64
    var value: Value
    /// `Moment.steady`.
    var end: Int64
    var isUsed = false
  }

  private let limit: Int
  /// Once there are `limit` of them, the oldest is at `hand`, and the others follow it in a circle.
  var entries: [Entry] = []
  private var hand = 0
  private var index = SlotIndex()
  var counts = CacheCounts()

  init(limit: Int) { self.limit = limit }

  /// Where the key's entry is among `entries`.
  func slot(of key: Key, _ hash: UInt64) -> Int? {
    index.slot(of: hash) { entries[$0].key == key }
  }

  mutating func keep(_ entry: Entry, at now: Int64) {
    if let slot = slot(of: entry.key, entry.hash) {
      entries[slot] = entry
    } else if entries.count < limit {
      index.insert(entries.count, of: entry.hash)
      entries.append(entry)
    } else {
      let slot = oldest(at: now)
      if entries[slot].end > now { counts.evictions += 1 }
      index.remove(slot, of: entries[slot].hash)
      index.insert(slot, of: entry.hash)
      entries[slot] = entry
    }
  }

  /// The entry that makes room. Second chances are bounded.
  private mutating func oldest(at now: Int64) -> Int {
    for _ in 0..<min(8, limit - 1) {
      let slot = passed()
      guard entries[slot].isUsed, entries[slot].end > now else { return slot }
      entries[slot].isUsed = false
    }
    return passed()
  }

  private mutating func passed() -> Int {
    defer { hand = hand + 1 == limit ? 0 : hand + 1 }
    return hand
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

/// A key of a `TTLCache`.
package protocol CacheKey: Hashable {
  /// A hash of all of it under a key of this process, so that no client can find two keys that meet.
  var keyedHash: UInt64 { get }
}

extension CacheKey {
  package var keyedHash: UInt64 { UInt64(truncatingIfNeeded: hashValue) }
}

/// A mutex that can stand in an array.
private final class Locked<State: Sendable>: Sendable {
  let state: Mutex<State>

  init(_ state: State) { self.state = Mutex(state) }
}
