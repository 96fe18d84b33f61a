internal import HTTPTransport
internal import Offload
internal import S3
internal import Settings
internal import Store
internal import Synchronization

/// The road of each location. Locations whose clients reach S3 the same way share one.
final class Roads: Sendable {
  private let isOn: Bool
  private let roads = Mutex<[String: RoadWatch]>([:])

  /// - Parameter isOn: `BLOBLO_LOOK_AS_CLIENT`.
  init(isOn: Bool) { self.isOn = isOn }

  /// - Returns: `nil` where bloblo does not look at it.
  func road(of settings: LocationSettings, _ store: S3BlobStore) -> RoadWatch? {
    let delivery = settings.policy.delivery
    guard isOn, delivery != .pass else { return nil }
    let bucket = settings.bucket
    let endpoint =
      delivery == .accelerate
      ? "\(bucket.endpoint)"
      : store.cloudFront.map { "\($0.endpoint)" } ?? "\(bucket.publicEndpoint)"
    let name =
      "\(delivery.rawValue) \(endpoint) \(bucket.name) \(bucket.region) \(settings.keyTemplate)"
    return roads.withLock { roads in
      let road = roads[name] ?? RoadWatch(LookTimes(timeout: settings.s3Limits.head))
      roads[name] = road
      return road
    }
  }
}
