internal import HTTPTransport

/// How objects that we make are kept; nil leaves it to the bucket's own defaults.
package struct UploadOptions: Hashable, Sendable {
  /// `AES256`, `aws:kms`, `aws:kms:dsse`.
  package var serverSideEncryption: String?
  /// The key for `aws:kms`.
  package var kmsKeyID: String?
  /// Whether S3 asks KMS for one key for many objects instead of one for each.
  package var isBucketKeyEnabled: Bool
  /// `STANDARD`, `INTELLIGENT_TIERING`….
  package var storageClass: String?
  /// Names and values, as they are.
  package var tags: [ObjectTag]
  /// Whether this account pays for requests to a bucket that wants that; for reading too.
  package var isRequesterPaying: Bool

  package init(
    serverSideEncryption: String? = nil, kmsKeyID: String? = nil, isBucketKeyEnabled: Bool = false,
    storageClass: String? = nil, tags: [ObjectTag] = [], isRequesterPaying: Bool = false
  ) {
    self.serverSideEncryption = serverSideEncryption
    self.kmsKeyID = kmsKeyID
    self.isBucketKeyEnabled = isBucketKeyEnabled
    self.storageClass = storageClass
    self.tags = tags
    self.isRequesterPaying = isRequesterPaying
  }

  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html>
  var payerFields: [HTTPField] {
    isRequesterPaying ? [HTTPField("x-amz-request-payer", "requester")] : []
  }

  /// Fields of PutObject and CreateMultipartUpload, with the type that every blob has.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
  func fields(_ metadata: [(String, String)]) -> [HTTPField] {
    var fields = [HTTPField("Content-Type", "application/octet-stream")]
    if let serverSideEncryption {
      fields.append(HTTPField("x-amz-server-side-encryption", serverSideEncryption))
    }
    if let kmsKeyID {
      fields.append(HTTPField("x-amz-server-side-encryption-aws-kms-key-id", kmsKeyID))
    }
    if isBucketKeyEnabled {
      fields.append(HTTPField("x-amz-server-side-encryption-bucket-key-enabled", "true"))
    }
    if !tags.isEmpty {
      fields.append(
        HTTPField(
          "x-amz-tagging", tags.map(\.encoded).joined(separator: "&")))
    }
    for (name, value) in metadata { fields.append(HTTPField("x-amz-meta-\(name)", value)) }
    if let storageClass { fields.append(HTTPField("x-amz-storage-class", storageClass)) }
    return fields
  }
}
