package import Logging
package import Offload
internal import Primitives

/// Records the outcome of each request: metrics, log, and the last passes.
///
/// Called before the request is answered, since its params end with the answer.
package final class RequestRecorder: Sendable {
  package let metrics = Metrics()
  package let recentPasses = RecentPasses()
  package let failedFills = RecentFailures()
  package let log: DecisionLog

  package init(_ logger: Logger, _ volume: LogLevelControl) { log = DecisionLog(logger, volume) }

  /// Records a decision on a request that is not for a blob.
  package func decided(_ kind: DecisionKind, _ facts: @autoclosure () -> RequestFacts) {
    metrics.decisions[kind].add()
    guard log.isOn else { return }
    log.decided(kind.word, facts(), size: nil, bytes: nil)
  }

  /// Records the end of a body that bloblo sent.
  package func end(_ fields: Logger.Metadata?, by path: DeliveryPath, bytes: Int64) {
    metrics.bytes[path].add(bytes)
    if let fields { log.decided(fields, bytes: bytes) }
  }

  /// - Parameters:
  ///   - size: of the whole blob, if it is known.
  ///   - bytes: that the client will have from the registry, as far as is known.
  package func passed(
    _ facts: RequestFacts, _ reason: PassReason, size: Int64? = nil, bytes: Int64? = nil
  ) {
    let now = Moment.now()
    metrics.passes[reason.kind].add()
    if let bytes { metrics.bytes[.passed].add(bytes) }
    recentPasses.note(reason, for: facts.request, blob: facts.blob, at: now.unix)
    log.alarm(reason, facts.blob, at: now)
    if log.isOn { log.passed(facts, reason, size: size) }
  }

  package func found(_ wrong: WrongObject, _ blob: BlobRequest, want size: Int64) {
    metrics.wrongObjects.add()
    log.found(wrong, blob, want: size, at: .now())
  }

  /// Records upstream's time, if upstream was asked.
  package func asked(_ trace: LookupTrace) {
    guard let time = trace.upstreamTime else { return }
    metrics.upstreamTime.observe(nanoseconds: time.nanoseconds)
  }

  /// Records S3's time.
  package func looked(_ look: Look) {
    metrics.storeTime.observe(nanoseconds: look.time.nanoseconds)
  }
}
