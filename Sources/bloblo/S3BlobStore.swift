import HTTPTransport
import Hashing
import Offload
import Primitives
import Registry
import S3

/// The bucket as the decision sees it.
struct S3BlobStore: BlobStore {
  let bucket: BucketClient
  let template: ObjectKeyTemplate
  let presignLifetime: Duration
  /// Who will read by the signed URLs: the client, or the web server, which sees the bucket as we do.
  let delivery: Delivery

  func key(of digest: Digest) throws(S3Error) -> ObjectKey {
    try template.key(
      algorithm: digest.algorithm.rawValue, encoded: String(decoding: digest.encoded, as: UTF8.self)
    )
  }

  func find(
    _ digest: Digest, by http: inout HTTPClient, now: UnixTime
  ) throws(BlobStoreError) -> StoredBlob? {
    do {
      guard let head = try bucket.head(key(of: digest), over: &http, now: now) else { return nil }
      return StoredBlob(size: head.size, expiration: head.expiration)
    } catch {
      throw BlobStoreError(error.description)
    }
  }

  /// A URL of this instant's span: all who ask within a quarter of its life, of whatever instance, get the
  /// same one, so that what caches by URL finds it again.
  func presign(_ digest: Digest, now: UnixTime) throws(BlobStoreError) -> SignedURL {
    let span = max(1, presignLifetime.components.seconds / 4)
    let start = UnixTime(seconds: now.seconds - now.seconds % span)
    do {
      let url = try PresignedURL(
        .get, key(of: digest), in: bucket.bucket,
        on: delivery == .accelerate ? bucket.bucket.endpoint : bucket.bucket.publicEndpoint,
        signer: bucket.signer, lifetime: presignLifetime, now: start)
      return SignedURL(bytes: url.bytes, reusableUntil: start + span)
    } catch {
      throw BlobStoreError(error.description)
    }
  }
}
