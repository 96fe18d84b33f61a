package import Offload
internal import Primitives
internal import Registry
package import S3
package import Settings
package import Store
internal import Telemetry

/// A registry, its bucket, and the way blobs get from there to clients.
package final class Location: Sendable {
  let id: LocationID
  package let settings: LocationSettings
  package let store: S3BlobStore
  package let engine: OffloadEngine
  package let watches: Watches
  /// How clients get to the bucket; `nil` where that is not looked at.
  package let road: RoadWatch?
  let front: ResponseWriter
  let unfollowed = UnfollowedRedirects()
  let passes = PassWatch(at: Moment.now().steady)
  /// The params of a request that go upstream.
  let upstreamParameters: [UpstreamParameter]
  /// Their names.
  let fingerprintParameters: [StaticString]

  /// - Parameter number: 0 for requests whose params choose nothing.
  init(
    number: UInt32, settings: LocationSettings, credentials: SigningCredentials,
    cache: DecisionCache, watches: Watches, roads: Roads
  ) {
    id = LocationID(number, registry: RegistryID(url: settings.upstream.url))
    self.watches = watches
    self.settings = settings
    // Another location may use another server, with its own clock.
    store = settings.store(
      credentials, clock: number == 0 ? credentials.clock : ServerClock())
    road = roads.road(of: settings, store)
    engine = OffloadEngine(
      upstream: settings.upstream, store: store, policy: settings.policy, cache: cache,
      watches: watches, road: road)
    front = ResponseWriter(redirectStatus: settings.redirectStatus)
    upstreamParameters =
      UpstreamParameter.all + (settings.isHostPreserved ? [UpstreamParameter.host] : [])
    fingerprintParameters = upstreamParameters.map(\.parameter)
  }
}

extension LocationSettings {
  /// The bucket as the settings describe it, with the current credential.
  package func store(_ credentials: SigningCredentials, clock: ServerClock) -> S3BlobStore {
    let site = BucketSite(
      bucket, credentials: credentials.store, presignCredentials: credentials.presignStore,
      clock: clock, observer: credentials.record)
    return S3BlobStore(
      bucket: BucketClient(site, limits: s3Limits, uploadOptions: uploadOptions),
      template: keyTemplate, presignLifetime: presignLifetime, cloudFront: cloudFront,
      delivery: policy.delivery)
  }
}

extension SigningCredentials {
  /// The service that the settings describe; `start` fetches.
  package convenience init(_ settings: CredentialSettings) {
    self.init(settings.chain, fixed: settings.fixed, presign: settings.presign)
  }
}
