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
  /// Clients are sent there instead of to the bucket, if there is one.
  let cloudFront: CloudFrontSigner?
  /// Who will read by the signed URLs: the client, or the web server, which sees the bucket as we do.
  let delivery: Delivery

  func key(of digest: Digest) throws(S3Error) -> ObjectKey {
    try template.key(
      algorithm: digest.algorithm.rawValue, encoded: String(decoding: digest.encoded, as: UTF8.self)
    )
  }

  func isObject(_ url: [UInt8], of digest: Digest) -> Bool {
    guard let key = try? key(of: digest) else { return false }
    let (bucket, text) = (bucket.bucket, String(decoding: url, as: UTF8.self))
    return [bucket.endpoint, bucket.publicEndpoint].contains {
      bucket.url(for: key, on: $0) == text
    }
  }

  /// The bucket for a fill from this repository, whose name may be among its object's tags.
  func bucket(for repository: RepositoryName) -> BucketClient { bucket.naming(repository) }

  func find(
    _ digest: Digest, by http: inout HTTPClient, now: UnixTime
  ) throws(BlobStoreError) -> StoredBlob? {
    do {
      guard let head = try bucket.head(key(of: digest), over: &http, now: now) else { return nil }
      return StoredBlob(size: head.size, expiration: head.expiration)
    } catch {
      throw BlobStoreError(error.description, isDenial: error.isDenial)
    }
  }

  /// A URL of this instant's span: all who ask within a quarter of its life, of whatever instance, get the
  /// same one, so that what caches by URL finds it again.
  func presign(_ digest: Digest, now: UnixTime) throws(BlobStoreError) -> SignedURL {
    let span = max(1, presignLifetime.components.seconds / 4)
    do {
      // A web server that streams asks the bucket itself, as we see it.
      let isForClient = delivery != .accelerate
      if isForClient, let cloudFront {
        // S3's time is AWS's: CloudFront does not tell its own.
        let time = bucket.site.clock.time(at: now)
        let url = try cloudFront.presign(
          key(of: digest), lifetime: presignLifetime, span: span, now: time)
        return SignedURL(bytes: url.bytes, reusableUntil: now + (url.start + span - time))
      }
      let url = try bucket.presign(
        .get, key(of: digest), isForClient: isForClient, lifetime: presignLifetime, span: span,
        now: now)
      return SignedURL(bytes: url.bytes, reusableUntil: reuseEnd(of: url, span: span, now: now))
    } catch {
      throw BlobStoreError(error.description)
    }
  }

  /// By our own clock: when the span is over, or the URL has little life left.
  private func reuseEnd(of url: PresignedURL, span: Int64, now: UnixTime) -> UnixTime {
    let time = bucket.site.clock.time(at: now)
    let spanEnd = time + (span - time.seconds % span)
    let end = min(spanEnd, max(time, url.expiration + -PresignedURL.shortestLife))
    return now + (end - time)
  }
}

extension BucketClient {
  /// The same, with the repository's name where tags ask for it.
  func naming(_ repository: RepositoryName) -> BucketClient {
    guard !uploadOptions.tags.isEmpty else { return self }
    var tagged = self
    tagged.uploadOptions.tags = uploadOptions.tags.map { $0.naming(repository: "\(repository)") }
    return tagged
  }
}
