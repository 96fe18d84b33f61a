package import Offload

/// The counters and histograms of requests and fills. Adding takes some nanoseconds and never waits.
package final class Metrics: Sendable {
  /// One of this many decisions from memory is timed, since two clock reads cost more than all counters. A power of
  /// two.
  package static let sampling: Int64 = 16

  package let decisions = Counters<DecisionKind>()
  package let passes = Counters<PassReason.Kind>()
  /// Bytes by delivery path. A redirect counts the whole blob or range, though the client may leave earlier.
  package let bytes = Counters<DeliveryPath>()
  /// Blobs that passed whose size bloblo does not know: `bytes` lacks them.
  package let unsizedPasses = Counter()

  package let decisionTime = Histogram.ofDecisions()
  package let upstreamTime = Histogram.ofAnswers()
  package let storeTime = Histogram.ofAnswers()
  package let fillTime = Histogram.ofFills()

  private let requests = Counter()

  /// Whether this request is timed.
  package func isTimed() -> Bool { requests.next() & (Self.sampling - 1) == 0 }

  package let fillsDone = Counter()
  /// Fills that another instance finished first.
  package let fillsElsewhere = Counter()
  package let fillsFailed = Counters<FillFailure>()
  package let filledBytes = Counter()
  /// Multipart uploads that could not be aborted.
  package let uploadsLeft = Counter()
  package let wrongObjects = Counter()
}
