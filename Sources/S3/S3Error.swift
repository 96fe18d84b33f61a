internal import HTTPTransport

/// What goes wrong in this room.
///
/// Nothing here holds a URL's query, a credential or a signature.
package enum S3Error: Error, Hashable, Sendable, CustomStringConvertible {
  /// A presigned URL lives 1…604800 whole seconds.
  case lifetimeOutOfRange(Duration)
  /// - Parameter reason: what an object key must be, and is not.
  case invalidObjectKey(reason: String)
  case invalidBucketName(String, reason: String)
  case invalidRegion(String)
  /// The text is not repeated: a URL may hold a password.
  case invalidEndpoint(reason: String)
  case invalidKeyTemplate(String, reason: String)
  /// There is no credential that lives.
  case noCredential
  /// The signing credential ends too soon for a URL: seconds that it has.
  case credentialEnds(Int64)
  /// libcrypto did not sign.
  case cannotSign
  /// No whole response came.
  case transport(Operation, TransportFailure)
  /// S3 said no.
  case refused(Operation, S3ErrorResponse)
  /// S3 said yes, but not what it should say then.
  case unexpectedAnswer(Operation, reason: String)

  /// What was being done, in S3's words: `HeadObject`, `UploadPart`….
  package enum Operation: String, Sendable {
    case headBucket = "HeadBucket"
    case headObject = "HeadObject"
    case getObject = "GetObject"
    case putObject = "PutObject"
    case deleteObject = "DeleteObject"
    case createMultipartUpload = "CreateMultipartUpload"
    case uploadPart = "UploadPart"
    case completeMultipartUpload = "CompleteMultipartUpload"
    case abortMultipartUpload = "AbortMultipartUpload"
    case listObjects = "ListObjectsV2"
    case listMultipartUploads = "ListMultipartUploads"
    case getBucketLifecycle = "GetBucketLifecycleConfiguration"

    /// Whether it puts something into the bucket.
    var isWrite: Bool {
      [.putObject, .createMultipartUpload, .uploadPart, .completeMultipartUpload].contains(self)
    }
  }

  /// See `S3ErrorResponse.isAccessDenied`.
  package var isAccessDenied: Bool {
    if case .refused(_, let refusal) = self { refusal.isAccessDenied } else { false }
  }

  package var description: String {
    switch self {
    case .lifetimeOutOfRange(let lifetime):
      "lifetime of a presigned URL: want 1 to 604800 whole seconds, got \(lifetime)"
    case .invalidObjectKey(let reason): "object key: \(reason)"
    case .invalidBucketName(let name, let reason): "bucket name \"\(name)\": \(reason)"
    case .invalidRegion(let region): "region \"\(region)\": want letters, digits, - and _"
    case .invalidEndpoint(let reason): "endpoint: \(reason)"
    case .invalidKeyTemplate(let template, let reason): "key template \"\(template)\": \(reason)"
    case .cannotSign: "libcrypto did not sign"
    case .noCredential: "no credential: the last one has ended, or none was obtained yet"
    case .credentialEnds(let seconds):
      "the signing credential ends in \(seconds) s: want \(PresignedURL.shortestLife) s for a URL"
    case .transport(let operation, let failure): "\(operation.rawValue): \(failure.message)"
    case .refused(let operation, let refusal): "\(operation.rawValue): \(refusal)"
    case .unexpectedAnswer(let operation, let reason): "\(operation.rawValue): \(reason)"
    }
  }
}
