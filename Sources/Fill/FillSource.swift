package import HTTPTransport
package import Primitives
package import Registry
package import S3
internal import Threading

/// What one fill reads, and where it puts it.
package struct FillSource: Sendable {
  let request: SingleUseRequest
  /// Who is asked: its URL without the blob's path, and the Host that is sent.
  private let registry: String
  package let digest: Digest
  /// In bytes, as upstream gave it; `nil` when only its answer to the reading will.
  package let size: Int64?
  package let bucket: BucketClient
  package let key: ObjectKey
  /// Whether a wrong object stands under the key: then an object that is there is no reason to stop.
  package let isReplacement: Bool
  /// Whether the bucket was looked at after a fill had ended well: then that fill's object is gone.
  package var isMissedAfterFill = false
  /// Whom the registry's redirects may be followed to.
  let hosts: FollowedHosts
  /// When the client's token ends, if it says so: it is not kept for longer.
  let credentialEnd: UnixTime?
  /// Called with the size once the object can be read, or with the reason why there is none.
  package let onEnd: @Sendable (Result<Int64, FillError>) -> Void

  /// - Parameters:
  ///   - request: GET of the whole blob, with the credential of the client that has proved its
  ///     right to it. It is let go of when the reading is over, before the upload is.
  ///   - registry: the URL that all blobs' paths of this registry come behind.
  package init(
    request: HTTPRequest, registry: String, hosts: FollowedHosts = .none, digest: Digest,
    size: Int64?, bucket: BucketClient, key: ObjectKey, isReplacement: Bool,
    credentialEnd: UnixTime? = nil,
    onEnd: @escaping @Sendable (Result<Int64, FillError>) -> Void = { _ in }
  ) {
    self.request = SingleUseRequest(request)
    self.registry = registry + " " + (request.fields.first(named: "host")?.text ?? "")
    self.digest = digest
    self.size = size
    self.bucket = bucket
    self.key = key
    self.isReplacement = isReplacement
    self.hosts = hosts
    self.credentialEnd = credentialEnd
    self.onEnd = onEnd
  }

  /// Its own name in the table of fills: the object's, and the registry's that is read.
  ///
  /// Only who asks the same registry by the same Host reads along: the bytes are not verified yet, and another
  /// registry has not promised them.
  var name: String {
    let object = bucket.bucket.url(for: key, on: bucket.bucket.endpoint)
    return "\(object)\n\(registry)"
  }

  func target(size: Int64) -> FillTarget {
    FillTarget(digest: digest, size: size, bucket: bucket, key: key, isReplacement: isReplacement)
  }
}

/// What a fill publishes.
struct FillTarget: Sendable {
  let digest: Digest
  /// In bytes.
  let size: Int64
  let bucket: BucketClient
  let key: ObjectKey
  let isReplacement: Bool

  /// The object's metadata, so that a person who finds it later knows what it is.
  var metadata: [(String, String)] {
    [("bloblo-digest", "\(digest)"), ("bloblo-size", String(size))]
  }
}

/// A request that is used once: the credential in it does not outlive its use, nor a long wait for it.
final class SingleUseRequest: Sendable {
  /// Without fields.
  private let request: HTTPRequest
  private let fields: Monitor<KeptFields?>

  init(_ request: HTTPRequest) {
    fields = Monitor(KeptFields(request.fields))
    var request = request
    request.fields = []
    self.request = request
  }

  /// The request, the first time.
  func take() -> HTTPRequest? {
    guard let fields = fields.withLock({ $0.take() }) else { return nil }
    var request = request
    request.fields = fields.copy
    return request
  }

  /// Zeroes the credential: nothing is left to use.
  func wipe() { fields.withLock { $0 = nil } }
}

/// What becomes of fills, for the log and the metrics.
package protocol FillObserver: Sendable {
  func published(_ digest: Digest, size: Int64, after time: Duration)
  /// Another instance was first.
  func found(_ digest: Digest, size: Int64)
  func failed(_ digest: Digest, _ error: FillError)
  /// Nothing is published, but the bucket keeps parts until a sweep or a lifecycle rule clears them.
  func leftUpload(of digest: Digest, _ error: FillError)
}
