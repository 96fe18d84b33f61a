import Offload
import Registry
import S3

/// A registry and its bucket, and how blobs get from there to clients.
final class Location: Sendable {
  let id: LocationID
  let settings: LocationSettings
  let store: S3BlobStore
  let engine: OffloadEngine
  let front: FrontServer
  let unfollowed = UnfollowedRedirects()
  /// What of a request goes upstream.
  let upstreamParameters: [UpstreamParameter]

  /// - Parameter number: 0 is of the requests whose web server says nothing else.
  init(
    _ number: UInt32, _ settings: LocationSettings, _ credentials: SigningCredentials,
    _ memories: Memories
  ) {
    id = LocationID(number, registry: RegistryID(url: settings.upstream.url))
    self.settings = settings
    // Another location may be on another server, with a clock of its own.
    store = settings.store(
      credentials, clock: number == 0 ? credentials.clock : ServerClock())
    engine = OffloadEngine(
      upstream: settings.upstream, store: store, policy: settings.policy, memories: memories)
    front = FrontServer(redirectStatus: settings.redirectStatus)
    upstreamParameters =
      UpstreamParameter.all + (settings.isHostPreserved ? [UpstreamParameter.host] : [])
  }
}

extension LocationSettings {
  /// The bucket as it is set, with the credential that holds.
  func store(_ credentials: SigningCredentials, clock: ServerClock) -> S3BlobStore {
    let site = BucketSite(
      bucket, credentials: credentials.store, presignCredentials: credentials.presignStore,
      clock: clock, observer: credentials.log)
    return S3BlobStore(
      bucket: BucketClient(site, limits: s3Limits, uploadOptions: uploadOptions),
      template: keyTemplate, presignLifetime: presignLifetime, cloudFront: cloudFront,
      delivery: policy.delivery)
  }
}
