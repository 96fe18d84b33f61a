internal import HTTPTransport

extension HTTPLimits {
  /// The limits of one operation: a server that takes or sends a byte now and then, and so is never quite
  /// still, holds none for ever.
  func bounding(_ operation: S3Error.Operation) -> HTTPLimits {
    var limits = self
    switch operation {
    case .putObject, .uploadPart:
      // As slow as a body may go up; the answer to it comes within one `idle`.
      limits.minimumProgress = 64 << 10
    case .completeMultipartUpload:
      // S3 may work for minutes, and sends white space meanwhile.
      // Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
      limits.total = idle * 20
    case .getObject: limits.minimumProgress = 64 << 10
    case .headBucket, .headObject, .deleteObject, .createMultipartUpload, .abortMultipartUpload,
      .listObjects, .listMultipartUploads, .getBucketLifecycle:
      limits.total = idle * 2
    }
    return limits
  }
}
