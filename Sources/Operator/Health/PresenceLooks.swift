package import Gateway
package import HTTPTransport
internal import Offload
internal import Primitives
internal import S3
internal import Store
internal import Synchronization
package import Telemetry

/// Looks again, in the background, at objects that clients were sent to, before the remembered answer gets old.
///
/// Proofs are not renewed in the background: bloblo keeps no credential for that.
package final class PresenceLooks: Sendable {
  private let locations: Locations
  private let perSecond: Int
  private let metrics: Metrics
  private let paces = Mutex<[String: Pace]>([:])

  /// - Parameter perSecond: the most looks into one bucket, since each costs money; 0 for none.
  package init(_ locations: Locations, perSecond: Int, _ metrics: Metrics) {
    self.locations = locations
    self.perSecond = perSecond
    self.metrics = metrics
  }

  /// Makes the looks that are due now.
  package func look(_ http: inout HTTPClient) {
    guard perSecond > 0 else { return }
    while let key = locations.cache.nextLook(at: .now()) {
      guard let location = locations.location(key.location) else { continue }
      let now = Moment.now()
      guard takeTurn(location, at: now.steady) else {
        locations.cache.postpone(key, to: now.steady + 1000 / Int64(perSecond))
        // Objects of other buckets wait for the next round.
        return
      }
      guard !location.watches.store.isKnownBad(key.digest, at: now.steady) else {
        locations.cache.postpone(key, to: now.steady + 1000)
        return
      }
      let look = location.engine.look(at: key, by: &http, at: now)
      metrics.storeTime.observe(nanoseconds: look.time.nanoseconds)
    }
  }

  private func takeTurn(_ location: Location, at now: Int64) -> Bool {
    let bucket = location.store.bucket.bucket
    let name = "\(bucket.endpoint)/\(bucket.name)"
    return paces.withLock { $0[name, default: Pace(perSecond: perSecond, at: now)].take(at: now) }
  }
}
