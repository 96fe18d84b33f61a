internal import Fill
package import HTTPTransport
internal import Hashing
package import Offload
package import Primitives
package import Registry
package import S3

/// The bucket as the decision sees it.
package struct S3BlobStore: BlobStore {
  /// Without a repository: for reading, and for tags without `{repository}`.
  package let bucket: BucketClient
  /// The tags of filled objects, with a place for the repository's name.
  private let tags: [ObjectTag]
  package let template: ObjectKeyTemplate
  package let presignLifetime: Duration
  /// CloudFront, if clients are sent there instead of to the bucket.
  package let cloudFront: CloudFrontSigner?
  /// Who reads through the signed URLs: the client, or the web server, which reaches the bucket as bloblo does.
  package let delivery: Delivery

  package init(
    bucket: BucketClient,
    template: ObjectKeyTemplate,
    presignLifetime: Duration,
    cloudFront: CloudFrontSigner?,
    delivery: Delivery
  ) {
    tags = bucket.uploadOptions.tags
    self.bucket = bucket.tagged(tags, naming: "")
    self.template = template
    self.presignLifetime = presignLifetime
    self.cloudFront = cloudFront
    self.delivery = delivery
  }

  package func key(of digest: Digest) throws(S3Error) -> ObjectKey {
    try template.key(
      algorithm: digest.algorithm.rawValue, encoded: String(decoding: digest.encoded, as: UTF8.self)
    )
  }

  package func isObject(_ url: [UInt8], of digest: Digest) -> Bool {
    guard let key = try? key(of: digest) else { return false }
    let (bucket, text) = (bucket.bucket, String(decoding: url, as: UTF8.self))
    return [bucket.endpoint, bucket.publicEndpoint].contains {
      bucket.url(for: key, on: $0) == text
    }
  }

  /// The bucket for a fill from this repository; its name may be in the object's tags.
  package func bucket(for repository: RepositoryName) -> BucketClient {
    bucket.tagged(tags, naming: "\(repository)")
  }

  package func find(
    _ digest: Digest, by http: inout HTTPClient, now: UnixTime
  ) throws(BlobStoreError) -> StoredBlob? {
    do {
      guard let head = try bucket.head(key(of: digest), over: &http, now: now) else { return nil }
      return StoredBlob(head, digest)
    } catch {
      throw BlobStoreError(
        error.description, isAccessDenied: error.isAccessDenied, outcome: error.outcome)
    }
  }

  package func clockCorrection(at now: Moment) -> Int64 { bucket.site.notice(now) }

  package func signingGeneration(at now: Moment) -> Int {
    if let cloudFront, isForClient { return cloudFront.keyGeneration }
    return bucket.site.presigningGeneration(at: bucket.site.clock.time(at: now.unix))
  }

  /// With `accelerate` the web server reads the bucket at the address that bloblo uses.
  private var isForClient: Bool { delivery != .accelerate }

  /// A URL for a span of time. All clients that ask within a quarter of its life get the same one, from every
  /// instance, so that caches by URL find it.
  package func presign(_ digest: Digest, now: Moment) throws(BlobStoreError) -> SignedURL {
    let span = max(1, presignLifetime.components.seconds / 4)
    let correction = clockCorrection(at: now)
    // Before it is signed: when the key changes in between, the next client gets another URL.
    let generation = signingGeneration(at: now)
    let time = bucket.site.clock.time(at: now.unix)
    func signed(_ bytes: [UInt8], reusableUntil end: UnixTime) -> SignedURL {
      SignedURL(
        bytes: bytes, reusableUntil: now.steady + (end - time) * 1000, correction: correction,
        generation: generation)
    }
    do {
      if isForClient, let cloudFront {
        // CloudFront does not tell its time; it is AWS's, as S3's is.
        let url = try cloudFront.presign(
          key(of: digest), lifetime: presignLifetime, span: span, now: time)
        return signed(url.bytes, reusableUntil: url.start + span)
      }
      let url = try bucket.presign(
        .get, key(of: digest), isForClient: isForClient, lifetime: presignLifetime, span: span,
        now: now.unix)
      // The URL is used again until the span ends, or the URL has little life left.
      let spanEnd = time + (span - time.seconds % span)
      return signed(
        url.bytes,
        reusableUntil: min(spanEnd, max(time, url.expiration + -PresignedURL.shortestLife)))
    } catch {
      throw BlobStoreError(error.description)
    }
  }
}

extension StoredBlob {
  /// Compares what S3 says about an object with the digest that it should have.
  init(_ head: ObjectHead, _ digest: Digest) {
    let isRight = head.isContent(of: digest)
    let defect: Defect? =
      if isRight == false { .otherContent } else if head.isArchived { .archived } else { nil }
    self.init(
      size: head.size, expiration: head.expiration, defect: defect, isProven: isRight == true)
  }
}

extension S3Error {
  /// What the error says about S3 as a server, for the breaker.
  package var outcome: Breaker<Digest>.Outcome {
    guard case .transport(_, let failure) = self else { return .answer }
    return failure.kind == .connect ? .noConnection : .noAnswer
  }
}

extension BucketClient {
  /// The same, with the repository's name where these tags ask for it.
  fileprivate func tagged(_ tags: [ObjectTag], naming repository: String) -> BucketClient {
    guard !tags.isEmpty else { return self }
    var tagged = self
    tagged.uploadOptions.tags = tags.map { $0.naming(repository: repository) }
    return tagged
  }
}
