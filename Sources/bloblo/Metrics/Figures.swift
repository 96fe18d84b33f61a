import Offload

/// What is counted while requests are served. To add costs some nanoseconds, and nobody waits.
final class Figures: Sendable {
  /// Of decisions that memory makes one in this many is timed: to read the clock twice costs more than all
  /// counting.
  /// A power of two.
  static let sampling: Int64 = 16

  let decisions = Counters<DecisionKind>()
  let passes = Counters<PassReason.Kind>()
  /// Bytes that clients were sent for: a redirect counts the whole blob or range, though a client may
  /// leave.
  let bytes = Counters<Road>()

  let decisionTime = Histogram.ofDecisions()
  let upstreamTime = Histogram.ofAnswers()
  let storeTime = Histogram.ofAnswers()
  let fillTime = Histogram.ofFills()

  private let requests = Counter()

  /// Whether this request is one of those that are timed.
  func isTimed() -> Bool { requests.next() & (Self.sampling - 1) == 0 }

  let fillsDone = Counter()
  /// Another instance was first.
  let fillsElsewhere = Counter()
  let fillsFailed = Counters<FillFailure>()
  let filledBytes = Counter()
  /// Multipart uploads that could not be aborted.
  let uploadsLeft = Counter()
  let wrongObjects = Counter()
}
