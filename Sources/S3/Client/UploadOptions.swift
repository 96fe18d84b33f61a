internal import HTTPTransport

/// How objects that we make are kept; nil leaves it to the bucket's own defaults.
package struct UploadOptions: Hashable, Sendable {
  /// `AES256`, `aws:kms`, `aws:kms:dsse`.
  package var serverSideEncryption: String?
  /// The key for `aws:kms`.
  package var kmsKeyID: String?
  /// `STANDARD`, `INTELLIGENT_TIERING`….
  package var storageClass: String?

  package init(
    serverSideEncryption: String? = nil, kmsKeyID: String? = nil, storageClass: String? = nil
  ) {
    self.serverSideEncryption = serverSideEncryption
    self.kmsKeyID = kmsKeyID
    self.storageClass = storageClass
  }

  /// Fields of PutObject and CreateMultipartUpload, with the type that every blob has.
  var fields: [HTTPField] {
    var fields = [HTTPField("Content-Type", "application/octet-stream")]
    if let serverSideEncryption {
      fields.append(HTTPField("x-amz-server-side-encryption", serverSideEncryption))
    }
    if let kmsKeyID {
      fields.append(HTTPField("x-amz-server-side-encryption-aws-kms-key-id", kmsKeyID))
    }
    if let storageClass { fields.append(HTTPField("x-amz-storage-class", storageClass)) }
    return fields
  }
}
