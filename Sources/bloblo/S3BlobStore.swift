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

  func key(of digest: Digest) throws(S3Error) -> ObjectKey {
    try template.key(
      algorithm: digest.algorithm.rawValue, encoded: String(decoding: digest.encoded, as: UTF8.self)
    )
  }

  func size(of digest: Digest, by http: inout HTTPClient, now: UnixTime) throws(BlobStoreError)
    -> Int64?
  {
    do {
      return try bucket.head(key(of: digest), over: &http, now: now)?.size
    } catch {
      throw BlobStoreError(error.description)
    }
  }

  func presign(_ digest: Digest, for bearer: Bearer, now: UnixTime) throws(BlobStoreError)
    -> [UInt8]
  {
    do {
      return try PresignedURL(
        .get, key(of: digest), in: bucket.bucket,
        on: bearer == .client ? bucket.bucket.publicEndpoint : bucket.bucket.endpoint,
        signer: bucket.signer, lifetime: presignLifetime, now: now
      ).bytes
    } catch {
      throw BlobStoreError(error.description)
    }
  }
}
