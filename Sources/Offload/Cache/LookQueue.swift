package import Registry

/// A blob at a location, for any client.
package struct BlobKey: CacheKey, Sendable {
  package let location: LocationID
  package let digest: Digest

  package init(location: LocationID, digest: Digest) {
    self.location = location
    self.digest = digest
  }
}

/// The objects to look at again, the most urgent first.
struct LookQueue: Sendable {
  private struct Entry: Sendable {
    let key: BlobKey
    /// `Moment.steady`.
    let due: Int64
  }

  private let limit: Int
  /// The earliest last.
  private var entries: [Entry] = []

  init(limit: Int) { self.limit = limit }

  mutating func add(_ key: BlobKey, due: Int64) {
    guard entries.count < limit else { return }
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].due > due { low = middle + 1 } else { high = middle }
    }
    entries.insert(Entry(key: key, due: due), at: low)
  }

  /// The earliest whose time has come.
  mutating func next(at now: Int64) -> BlobKey? {
    guard let last = entries.last, last.due <= now else { return nil }
    entries.removeLast()
    return last.key
  }
}

/// Limits something to a number of times a second.
package struct Pace: Sendable {
  private let perSecond: Int64
  /// Thousandths of turns that are left.
  private var left: Int64
  /// `Moment.steady`.
  private var since: Int64

  package init(perSecond: Int, at now: Int64) {
    self.perSecond = Int64(perSecond)
    left = 1000
    since = now
  }

  /// Takes a turn, if there is one now.
  package mutating func take(at now: Int64) -> Bool {
    left = min(1000, left + (now - since) * perSecond)
    since = now
    guard left >= 1000 else { return false }
    left -= 1000
    return true
  }
}
