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
    _ id: LocationID, _ settings: LocationSettings, _ credential: Credential, _ memories: Memories
  ) {
    self.id = id
    self.settings = settings
    let bucket = BucketClient(
      settings.bucket, signer: Signer(credential, region: settings.bucket.region),
      limits: settings.s3Limits)
    store = S3BlobStore(
      bucket: bucket, template: settings.keyTemplate, presignLifetime: settings.presignLifetime,
      delivery: settings.policy.delivery)
    engine = OffloadEngine(
      upstream: settings.upstream, store: store, policy: settings.policy, memories: memories)
    front = FrontServer(redirectStatus: settings.redirectStatus)
    upstreamParameters =
      UpstreamParameter.all + (settings.isHostPreserved ? [UpstreamParameter.host] : [])
  }
}
