internal import Fill
package import Primitives
package import Registry
internal import Synchronization

/// The last fills that failed, for the status page.
package final class RecentFailures: Sendable {
  package struct Failure: Sendable {
    package let time: UnixTime
    package let digest: Digest
    package let cause: FillFailure
    package let words: String
  }

  private static let limit = 10
  /// The oldest first.
  private let kept = Mutex<[Failure]>([])

  func note(_ digest: Digest, _ error: FillError, at now: UnixTime) {
    let failure = Failure(time: now, digest: digest, cause: error.cause, words: "\(error)")
    kept.withLock { kept in
      kept.append(failure)
      if kept.count > Self.limit { kept.removeFirst() }
    }
  }

  /// The newest first.
  package var all: [Failure] { kept.withLock { $0.reversed() } }
}
