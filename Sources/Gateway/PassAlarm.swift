package import Logging
internal import Offload
package import Primitives
internal import Registry
internal import S3
internal import Settings
internal import Synchronization
package import Telemetry

/// Finds the locations where nearly all blobs pass for one reason. The log has a line when one begins to; the page
/// and a metric show it as long as it lasts.
package final class PassAlarm: Sendable {
  /// A location, and the reason for which nearly all its blobs pass.
  package struct Trouble: Sendable {
    package let registry: String
    package let bucket: String
    package let finding: PassWatch.Finding

    /// The numbers and the advice, for the page.
    package var sentence: String {
      "In the last \(PassWatch.minutes) minutes \(finding.passed) of \(finding.blobs) blobs of \(registry) (bucket "
        + "\(bucket)) passed for one reason, \(finding.reason.word). \(finding.reason.advice)"
    }
  }

  private let logger: Logger
  private let troubles = Mutex<[LocationID: Trouble]>([:])

  package init(_ logger: Logger) { self.logger = logger }

  /// To be called every few seconds.
  package func look(at locations: [Location], now: Moment) {
    var found: [LocationID: Trouble] = [:]
    for location in locations {
      guard let finding = location.passes.look(at: now.steady) else { continue }
      found[location.id] = Trouble(
        registry: location.settings.upstream.url, bucket: location.settings.bucket.name,
        finding: finding)
    }
    let before = troubles.withLock { troubles in
      defer { troubles = found }
      return troubles
    }
    for (id, trouble) in found where before[id]?.finding.reason != trouble.finding.reason {
      tell(trouble)
    }
  }

  private func tell(_ trouble: Trouble) {
    let finding = trouble.finding
    logger.info(
      "nearly all blobs of a location pass for one reason",
      metadata: [
        "registry": "\(trouble.registry)", "bucket": "\(trouble.bucket)",
        "reason": "\(finding.reason.word)", "passed": .stringConvertible(finding.passed),
        "blobs": .stringConvertible(finding.blobs), "advice": "\(finding.reason.advice)",
      ])
  }

  /// The locations that are concerned now, by registry and bucket.
  package var all: [Trouble] {
    troubles.withLock { Array($0.values) }
      .sorted { ($0.registry, $0.bucket) < ($1.registry, $1.bucket) }
  }
}
