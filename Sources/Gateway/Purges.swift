internal import Offload
package import Primitives
package import Registry
internal import Settings
internal import Synchronization

/// The blobs that `bloblo purge` has removed from the bucket. Until every URL that was signed for such a blob has
/// ended, requests for it pass: bloblo signs no URL for it and fills nothing.
package final class Purges: Sendable {
  /// The most blobs that are held at a time.
  private static let limit = 10_000

  private let locations: Locations
  /// When each hold ends, by `Moment.steady`.
  private let ends = Mutex<[Digest: Int64]>([:])
  /// Each request reads this; it is nearly always 0.
  private let count = Atomic(0)

  init(_ locations: Locations) { self.locations = locations }

  /// Forgets the blob in all locations, and holds it for the longest life that a URL has had in any location.
  ///
  /// - Returns: how long it is held; `nil` when too many blobs are held.
  package func add(_ digest: Digest, at now: Moment) -> Duration? {
    let life = locations.longestLifeOfURLs
    let end = now.steady + (life.components.seconds + 1) * 1000
    let isHeld = ends.withLock { ends in
      guard ends.count < Self.limit || ends[digest] != nil else { return false }
      ends[digest] = max(end, ends[digest] ?? end)
      count.store(ends.count, ordering: .relaxed)
      return true
    }
    guard isHeld else { return nil }
    locations.forget(digest)
    return life
  }

  /// Whether a decision would give out a blob that is held, or fill it.
  func hold(_ digest: Digest, _ decision: Decision) -> Bool {
    switch decision {
    case .pass, .answer: false
    case .redirect, .accelerate, .multipart, .fill: isHeld(digest)
    }
  }

  /// Whether the blob was purged lately.
  func isHeld(_ digest: Digest) -> Bool {
    count.load(ordering: .relaxed) > 0 && ends.withLock { $0[digest] != nil }
  }

  /// Ends the holds whose time is over, and forgets their blobs once more: an answer that was on its way when the
  /// blob was purged may have been remembered since.
  func tick(at now: Moment) {
    guard count.load(ordering: .relaxed) > 0 else { return }
    for digest in ends.withLock({ $0.filter { $0.value <= now.steady } }).keys {
      locations.forget(digest)
      ends.withLock { ends in
        ends[digest] = nil
        count.store(ends.count, ordering: .relaxed)
      }
    }
  }
}
