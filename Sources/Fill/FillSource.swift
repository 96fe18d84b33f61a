package import HTTPTransport
package import Registry
package import S3

/// What one fill reads, and where it puts it.
package struct FillSource: Sendable {
  /// GET of the whole blob, with the credential of the client that has proved its right to it. It lives
  /// as long as the reading.
  package let request: HTTPRequest
  package let digest: Digest
  /// In bytes, as upstream gave it.
  package let size: Int64
  package let bucket: BucketClient
  package let key: ObjectKey
  /// Whether a wrong object stands under the key: then an object that is there is no reason to stop.
  package let isReplacement: Bool
  /// Called once the object can be read.
  package let onPublished: @Sendable () -> Void

  package init(
    request: HTTPRequest, digest: Digest, size: Int64, bucket: BucketClient, key: ObjectKey,
    isReplacement: Bool,
    onPublished: @escaping @Sendable () -> Void = {}
  ) {
    self.request = request
    self.digest = digest
    self.size = size
    self.bucket = bucket
    self.key = key
    self.isReplacement = isReplacement
    self.onPublished = onPublished
  }
}

/// What becomes of fills, for the log and the figures.
package protocol FillObserver: Sendable {
  func published(_ digest: Digest, size: Int64, after time: Duration)
  func failed(_ digest: Digest, _ error: FillError)
  /// Nothing is published, but the bucket keeps parts until a lifecycle rule clears them.
  func leftUpload(of digest: Digest, _ error: FillError)
}
