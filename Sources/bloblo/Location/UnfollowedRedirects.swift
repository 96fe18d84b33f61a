import Primitives
import Registry
import Synchronization

/// Remembers that a registry sends the readers of its blobs to where a fill may not follow: it is not asked in vain
/// for each of them.
final class UnfollowedRedirects: Sendable {
  private static let lifeMilliseconds: Int64 = 600_000

  private let state = Mutex<(words: String, end: Int64)?>(nil)

  /// Where it leads, in words; `nil` when nothing is known, or it is time to ask again.
  func host(at now: Moment) -> String? {
    state.withLock { $0.flatMap { now.steady < $0.end ? $0.words : nil } }
  }

  func note(_ refusal: FollowedHosts.Refusal, at now: Moment) {
    state.withLock { $0 = ("\(refusal)", now.steady + Self.lifeMilliseconds) }
  }
}
