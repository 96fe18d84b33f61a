package import HTTPTransport
package import Primitives
package import Registry

/// Who knows whether a client may read a blob.
package protocol ProofSource: Sendable {
  /// - Parameter http: the calling thread's own client.
  func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient
  ) throws(Unproven) -> BlobProof
}

extension UpstreamRegistry: ProofSource {}

/// Where blobs are kept for clients to read.
package protocol BlobStore: Sendable {
  /// The blob's object, or `nil` when there is none.
  func find(
    _ digest: Digest, by http: inout HTTPClient, now: UnixTime
  ) throws(BlobStoreError) -> StoredBlob?

  /// Whether a URL, without its query, is that of the blob's object.
  func isObject(_ url: [UInt8], of digest: Digest) -> Bool

  /// A URL that lets its bearer GET the blob's object for some minutes. Asks nobody.
  func presign(_ digest: Digest, now: Moment) throws(BlobStoreError) -> SignedURL

  /// Seconds by which our calendar is corrected for signatures now.
  func clockCorrection(at now: Moment) -> Int64
}

/// Why the store did not answer; in words that hold no secret.
package struct BlobStoreError: Error, Sendable, CustomStringConvertible {
  package let description: String
  /// The store lives, and does not say whether it has this blob: as S3 does when it has none and the asker
  /// may not list the bucket.
  package let isDenial: Bool
  /// What it says of the store's being there.
  package let outcome: Breaker<Digest>.Outcome

  package init(
    _ description: String, isDenial: Bool = false, outcome: Breaker<Digest>.Outcome = .answer
  ) {
    self.description = description
    self.isDenial = isDenial
    self.outcome = outcome
  }
}

extension BlobStore {
  package func isObject(_ url: [UInt8], of digest: Digest) -> Bool { false }
}
