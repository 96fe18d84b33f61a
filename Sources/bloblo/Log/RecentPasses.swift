import FastCGI
import Offload
import Primitives
import Registry
import Synchronization

/// The last passes, for a person to look at: of each reason one a second, so that a flood of one does not
/// wash the others away.
final class RecentPasses: Sendable {
  struct Pass: Sendable {
    let time: UnixTime
    let reason: PassReason.Kind
    let words: String?
    let path: BlobPath?
    let client: String
  }

  private static let limit = 20
  /// The second in which a pass of each reason was last kept.
  private let seconds = PassReason.Kind.allCases.map { _ in LastSecond() }
  private let kept = Mutex<[Pass]>([])

  func note(_ reason: PassReason, _ request: Request, _ blob: BlobRequest?, at now: UnixTime) {
    guard seconds[reason.kind.rawValue].isFirst(in: now.seconds) else { return }
    let client = request.parameter("REMOTE_ADDR")?.prefix(64) ?? []
    let pass = Pass(
      time: now, reason: reason.kind, words: reason.words, path: blob?.path,
      client: String(decoding: client, as: UTF8.self))
    kept.withLock { kept in
      kept.append(pass)
      if kept.count > Self.limit { kept.removeFirst() }
    }
  }

  /// The newest first.
  var all: [Pass] { kept.withLock { $0.reversed() } }
}

private final class LastSecond: Sendable {
  private let second = Atomic<Int64>(.min)

  func isFirst(in now: Int64) -> Bool { second.exchange(now, ordering: .relaxed) != now }
}
