internal import Primitives
internal import Registry
internal import Synchronization

/// Remembers the repositories whose blobs the registry redirects to a host that a fill may not follow, so that bloblo
/// does not ask for each blob. Only these repositories: a registry may redirect for some and answer for others
/// itself.
final class UnfollowedRedirects: Sendable {
  private static let lifeMilliseconds: Int64 = 600_000

  private static let limit = 10_000

  private let state = Mutex<[RepositoryName: (words: String, end: Int64)]>([:])

  /// Where the redirect leads, in words; `nil` when nothing is known, or it is time to ask again.
  func host(of repository: RepositoryName, at now: Moment) -> String? {
    state.withLock { $0[repository].flatMap { now.steady < $0.end ? $0.words : nil } }
  }

  func note(_ refusal: FollowedHosts.Refusal, of repository: RepositoryName, at now: Moment) {
    state.withLock { repositories in
      if repositories.count >= Self.limit { repositories.removeAll() }
      repositories[repository] = ("\(refusal)", now.steady + Self.lifeMilliseconds)
    }
  }
}
