internal import Registry
internal import Synchronization

/// Remembers when blobs were last deleted through bloblo. Anything learnt about such a blob before is void, for every
/// client.
///
/// The table has a fixed size, and blobs that share a place share their deletions. Then bloblo may drop a proof
/// needlessly, and asks the registry once more. Nothing is evicted, so no deletion is forgotten.
final class Deletions: Sendable {
  private static var placeCount: Int { 2048 }
  /// So far back that a life can be added to it.
  private static var never: Int64 { .min / 2 }

  /// The last deletion of each place, as `Moment.steady`.
  private let places = InlineArray<2048, Atomic<Int64>> { _ in Atomic(never) }
  /// Whether there was none yet: then no place is looked up.
  private let isUnused = Atomic(true)
  /// The last deletion of something that could not be read as one blob's path.
  private let everything = Atomic<Int64>(never)

  /// - Parameter path: `nil` when it can't be told which blob was deleted.
  func note(_ path: BlobPath?, in registry: RegistryID, at now: Int64) {
    defer { isUnused.store(false, ordering: .releasing) }
    guard let path else {
      everything.max(now, ordering: .acquiringAndReleasing)
      return
    }
    for place in [place(of: path, in: registry), place(of: path.digest, in: registry)] {
      places[place].max(now, ordering: .acquiringAndReleasing)
    }
  }

  /// When the blob was last deleted, as `Moment.steady`; the distant past if it never was.
  func last(of path: BlobPath, in registry: RegistryID) -> Int64 {
    isUnused.load(ordering: .acquiring) ? Self.never : last(at: place(of: path, in: registry))
  }

  /// The same, whatever the repository.
  func last(of digest: Digest, in registry: RegistryID) -> Int64 {
    isUnused.load(ordering: .acquiring) ? Self.never : last(at: place(of: digest, in: registry))
  }

  private func last(at place: Int) -> Int64 {
    max(places[place].load(ordering: .acquiring), everything.load(ordering: .acquiring))
  }

  private func place(of blob: some Hashable, in registry: RegistryID) -> Int {
    var hasher = Hasher()
    hasher.combine(registry)
    hasher.combine(blob)
    return hasher.finalize() & (Self.placeCount - 1)
  }
}
