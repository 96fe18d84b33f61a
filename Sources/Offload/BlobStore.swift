package import HTTPTransport
package import Primitives
package import Registry

/// A source of proofs: the registry.
package protocol ProofSource: Sendable {
  /// - Parameter http: the calling thread's own client.
  func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient
  ) throws(Unproven) -> BlobProof
}

extension UpstreamRegistry: ProofSource {}

/// A store that clients read blobs from: the bucket.
package protocol BlobStore: Sendable {
  /// The blob's object, or `nil` when there is none.
  func find(
    _ digest: Digest, by http: inout HTTPClient, now: UnixTime
  ) throws(BlobStoreError) -> StoredBlob?

  /// Whether a URL, without its query, is that of the blob's object.
  func isObject(_ url: [UInt8], of digest: Digest) -> Bool

  /// A URL with which its holder can GET the blob's object for some minutes. Asks no server.
  func presign(_ digest: Digest, now: Moment) throws(BlobStoreError) -> SignedURL

  /// Seconds by which signatures correct this machine's clock.
  func clockCorrection(at now: Moment) -> Int64

  /// Another number once the store signs with another key, or for another endpoint.
  func signingGeneration(at now: Moment) -> Int
}

/// Why the store did not answer, in words without a secret.
package struct BlobStoreError: Error, Sendable, CustomStringConvertible {
  package let description: String
  /// The store answered 403: it does not say whether it has the blob. S3 does that for absent objects when the key
  /// may not list the bucket.
  package let isAccessDenied: Bool
  /// What the error says about the store as a server, for the breaker.
  package let outcome: Breaker<Digest>.Outcome

  package init(
    _ description: String, isAccessDenied: Bool = false, outcome: Breaker<Digest>.Outcome = .answer
  ) {
    self.description = description
    self.isAccessDenied = isAccessDenied
    self.outcome = outcome
  }
}

extension BlobStore {
  package func isObject(_ url: [UInt8], of digest: Digest) -> Bool { false }
}
