package import HTTPTransport
package import Registry
package import S3
internal import Threading

/// What one fill reads, and where it puts it.
package struct FillSource: Sendable {
  let request: SingleUseRequest
  package let digest: Digest
  /// In bytes, as upstream gave it.
  package let size: Int64
  package let bucket: BucketClient
  package let key: ObjectKey
  /// Whether a wrong object stands under the key: then an object that is there is no reason to stop.
  package let isReplacement: Bool
  /// Called once the object can be read.
  package let onPublished: @Sendable () -> Void

  /// - Parameter request: GET of the whole blob, with the credential of the client that has proved its
  ///   right to it. It is let go of when the reading is over, before the upload is.
  package init(
    request: HTTPRequest, digest: Digest, size: Int64, bucket: BucketClient, key: ObjectKey,
    isReplacement: Bool,
    onPublished: @escaping @Sendable () -> Void = {}
  ) {
    self.request = SingleUseRequest(request)
    self.digest = digest
    self.size = size
    self.bucket = bucket
    self.key = key
    self.isReplacement = isReplacement
    self.onPublished = onPublished
  }

  /// The object's own name in the table of fills.
  var name: String { bucket.bucket.url(for: key, on: bucket.bucket.endpoint) }
}

/// A request that is used once: the credential in it does not outlive its use, nor a long wait for it.
final class SingleUseRequest: Sendable {
  private let request: Monitor<HTTPRequest?>

  init(_ request: HTTPRequest) { self.request = Monitor(request) }

  /// The request, the first time. Who takes it only to let it go leaves nothing to use.
  func take() -> HTTPRequest? { request.withLock { $0.take() } }
}

/// What becomes of fills, for the log and the figures.
package protocol FillObserver: Sendable {
  func published(_ digest: Digest, size: Int64, after time: Duration)
  /// Another instance was first.
  func found(_ digest: Digest, size: Int64)
  func failed(_ digest: Digest, _ error: FillError)
  /// Nothing is published, but the bucket keeps parts until a sweep or a lifecycle rule clears them.
  func leftUpload(of digest: Digest, _ error: FillError)
}
