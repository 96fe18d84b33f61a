package import Offload

/// What is counted while requests are served. To add costs some nanoseconds, and nobody waits.
package final class Figures: Sendable {
  /// Of decisions that memory makes one in this many is timed: to read the clock twice costs more than all
  /// counting.
  /// A power of two.
  package static let sampling: Int64 = 16

  package let decisions = Counters<DecisionKind>()
  package let passes = Counters<PassReason.Kind>()
  /// Bytes that clients were sent for: a redirect counts the whole blob or range, though a client may
  /// leave.
  package let bytes = Counters<Road>()
  /// Blobs that passed whose size bloblo does not know: `bytes` lacks them.
  package let unsizedPasses = Counter()

  package let decisionTime = Histogram.ofDecisions()
  package let upstreamTime = Histogram.ofAnswers()
  package let storeTime = Histogram.ofAnswers()
  package let fillTime = Histogram.ofFills()

  private let requests = Counter()

  /// Whether this request is one of those that are timed.
  package func isTimed() -> Bool { requests.next() & (Self.sampling - 1) == 0 }

  package let fillsDone = Counter()
  /// Another instance was first.
  package let fillsElsewhere = Counter()
  package let fillsFailed = Counters<FillFailure>()
  package let filledBytes = Counter()
  /// Multipart uploads that could not be aborted.
  package let uploadsLeft = Counter()
  package let wrongObjects = Counter()
}
