package import Gateway
package import HTTPTransport
internal import Offload
internal import Primitives
internal import S3
internal import Store
internal import Synchronization
package import Telemetry

/// Looks again at objects that clients were sent to, before what is remembered of them is old.
///
/// A proof is never renewed so: no credential is kept for it.
package final class PresenceLooks: Sendable {
  private let locations: Locations
  private let perSecond: Int
  private let figures: Figures
  private let paces = Mutex<[String: Pace]>([:])

  /// - Parameter perSecond: looks into one bucket, at most: each costs money. 0 for none.
  package init(_ locations: Locations, perSecond: Int, _ figures: Figures) {
    self.locations = locations
    self.perSecond = perSecond
    self.figures = figures
  }

  /// Makes the looks that are due now.
  package func look(_ http: inout HTTPClient) {
    guard perSecond > 0 else { return }
    while let key = locations.memories.nextLook(at: .now()) {
      guard let location = locations.location(key.location) else { continue }
      let now = Moment.now()
      guard takeTurn(location, at: now.steady) else {
        locations.memories.postpone(key, to: now.steady + 1000 / Int64(perSecond))
        // Others may have another bucket; they come in the next round.
        return
      }
      guard !location.watches.store.isKnownBad(key.digest, at: now.steady) else {
        locations.memories.postpone(key, to: now.steady + 1000)
        return
      }
      let look = location.engine.look(at: key, by: &http, at: now)
      figures.storeTime.observe(nanoseconds: look.time.nanoseconds)
    }
  }

  private func takeTurn(_ location: Location, at now: Int64) -> Bool {
    let bucket = location.store.bucket.bucket
    let name = "\(bucket.endpoint)/\(bucket.name)"
    return paces.withLock { $0[name, default: Pace(perSecond: perSecond, at: now)].take(at: now) }
  }
}
