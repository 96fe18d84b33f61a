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
  /// The size of the blob's object in bytes, or `nil` when there is none.
  func size(of digest: Digest, by http: inout HTTPClient, now: UnixTime) throws(BlobStoreError)
    -> Int64?

  /// An absolute URL that lets its bearer GET the blob's object for some minutes.
  func presign(_ digest: Digest, for bearer: Bearer, now: UnixTime) throws(BlobStoreError)
    -> [UInt8]
}

/// Who will read the bucket by a signed URL: they may know it under different host names.
package enum Bearer: Sendable {
  case client
  /// The web server beside us, which sees the bucket as we do.
  case webServer
}

/// Why the store did not answer; in words that hold no secret.
package struct BlobStoreError: Error, Sendable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}
