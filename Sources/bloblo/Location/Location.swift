import Offload
import S3

/// A registry and its bucket, and how blobs get from there to clients.
final class Location: Sendable {
  let id: LocationID
  let settings: LocationSettings
  let store: S3BlobStore
  let engine: OffloadEngine
  let front: FrontServer
  /// What of a request goes upstream.
  let upstreamParameters: [UpstreamParameter]

  init(
    _ id: LocationID, _ settings: LocationSettings, _ credentials: SigningCredentials,
    _ memories: Memories
  ) {
    self.id = id
    self.settings = settings
    let site = BucketSite(
      settings.bucket, credentials: credentials.store,
      presignCredentials: credentials.presignStore,
      // Another location may be on another server.
      clock: id == .standard ? credentials.clock : ServerClock(), observer: credentials.log)
    let bucket = BucketClient(
      site, limits: settings.s3Limits, uploadOptions: settings.uploadOptions)
    store = S3BlobStore(
      bucket: bucket, template: settings.keyTemplate, presignLifetime: settings.presignLifetime,
      cloudFront: settings.cloudFront, delivery: settings.policy.delivery)
    engine = OffloadEngine(
      upstream: settings.upstream, store: store, policy: settings.policy, memories: memories)
    front = FrontServer(redirectStatus: settings.redirectStatus)
    upstreamParameters =
      UpstreamParameter.all + (settings.isHostPreserved ? [UpstreamParameter.host] : [])
  }
}
