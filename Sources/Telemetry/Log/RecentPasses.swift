package import Offload
package import Primitives
package import Registry
internal import Synchronization

/// The last passes of each reason, for the status page: a few of each, and at most one a second, so that frequent
/// reasons do not push out rare ones.
package final class RecentPasses: Sendable {
  package struct Pass: Sendable {
    package let time: UnixTime
    package let reason: PassReason.Kind
    package let words: String?
    package let path: BlobPath?
    package let client: String
  }

  /// The most passes of each reason.
  private static let limit = 5
  /// The second in which a pass of each reason was last kept.
  private let seconds = PassReason.Kind.allCases.map { _ in LastSecond() }
  /// By reason, the oldest first.
  private let kept = Mutex([[Pass]](repeating: [], count: PassReason.Kind.allCases.count))

  func note(
    _ reason: PassReason, for request: any RecordedRequest, blob: BlobRequest?, at now: UnixTime
  ) {
    guard seconds[reason.kind.rawValue].isFirst(in: now.seconds) else { return }
    let client = request.parameter("REMOTE_ADDR")?.prefix(64) ?? []
    let pass = Pass(
      time: now, reason: reason.kind, words: reason.words, path: blob?.path,
      client: String(decoding: client, as: UTF8.self))
    kept.withLock { kept in
      let index = pass.reason.rawValue
      kept[index].append(pass)
      if kept[index].count > Self.limit { kept[index].removeFirst() }
    }
  }

  /// The newest first.
  package var all: [Pass] { kept.withLock { $0.joined().sorted { $0.time > $1.time } } }
}

private final class LastSecond: Sendable {
  private let second = Atomic<Int64>(.min)

  func isFirst(in now: Int64) -> Bool { second.exchange(now, ordering: .relaxed) != now }
}
