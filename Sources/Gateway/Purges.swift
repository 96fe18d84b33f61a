internal import Offload
package import Primitives
package import Registry
internal import Settings
internal import Synchronization

/// The blobs that `bloblo purge` has taken out of the bucket. Requests for one pass until every URL that was
/// signed for it before has ended: until then nothing is signed for it, and nothing fills it.
package final class Purges: Sendable {
  /// More are not held at a time.
  private static let limit = 10_000

  private let locations: Locations
  /// When each hold ends, by `Moment.steady`.
  private let ends = Mutex<[Digest: Int64]>([:])
  /// Read by each request: nearly always there is no hold.
  private let count = Atomic(0)

  init(_ locations: Locations) { self.locations = locations }

  /// Forgets the blob in all locations, and holds it for the longest life that a URL has had in any of them.
  ///
  /// - Returns: how long it is held; `nil` when too many are.
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

  /// Ends the holds whose time is over. What requests have learnt of the blob meanwhile is forgotten again: an
  /// answer that was on its way may be older than the purge.
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
