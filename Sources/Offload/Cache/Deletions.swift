internal import Registry
internal import Synchronization

/// Remembers when blobs were last deleted through bloblo. Anything learnt about such a blob before is void, for every
/// client.
///
/// By `TimeTable` bloblo may drop a proof needlessly, and asks the registry once more.
final class Deletions: Sendable {
  private struct Thing<Blob: Hashable>: Hashable {
    let registry: RegistryID
    let blob: Blob
  }

  private let times = TimeTable()
  /// The last deletion of something that could not be read as one blob's path.
  private let everything = Atomic<Int64>(TimeTable.never)

  /// - Parameter path: `nil` when it can't be told which blob was deleted.
  func note(_ path: BlobPath?, in registry: RegistryID, at now: Int64) {
    guard let path else {
      everything.max(now, ordering: .acquiringAndReleasing)
      return
    }
    times.note(Thing(registry: registry, blob: path), at: now)
    times.note(Thing(registry: registry, blob: path.digest), at: now)
  }

  /// When the blob was last deleted, as `Moment.steady`; the distant past if it never was.
  func last(of path: BlobPath, in registry: RegistryID) -> Int64 { last(path, in: registry) }

  /// The same, whatever the repository.
  func last(of digest: Digest, in registry: RegistryID) -> Int64 { last(digest, in: registry) }

  private func last(_ blob: some Hashable, in registry: RegistryID) -> Int64 {
    max(
      times.last(Thing(registry: registry, blob: blob)), everything.load(ordering: .acquiring))
  }
}
