internal import S3

extension S3Error {
  /// What the operator can do about the error.
  package var advice: String {
    switch self {
    case .transport: "Is BLOBLO_S3_ENDPOINT_URL right, and S3 reachable from this host?"
    case .noCredential, .credentialEnds: "See the credential."
    case .refused(_, let refusal) where refusal.status == 404 && refusal.code == nil:
      "Create the bucket, or set BLOBLO_S3_BUCKET_NAME; is BLOBLO_S3_ENDPOINT_URL an S3 service? It must not contain the bucket's name."
    case .refused(_, let refusal) where refusal.status == 404:
      "Create the bucket, or set BLOBLO_S3_BUCKET_NAME; BLOBLO_S3_ENDPOINT_URL must not contain the bucket's name."
    case .refused(_, let refusal) where refusal.code == "SignatureDoesNotMatch":
      "The secret key is not the access key's: set AWS_SECRET_ACCESS_KEY, or correct the source. White space at its end counts."
    case .refused(_, let refusal) where refusal.code == "InvalidAccessKeyId":
      "S3 does not know the access key: set AWS_ACCESS_KEY_ID, or correct the source."
    case .refused(_, let refusal) where refusal.isCredentialError:
      "The session token has ended, or is not this key's: correct the source of the credential."
    case .refused(_, let refusal) where refusal.code == "RequestTimeTooSkewed":
      "This host's clock is wrong: run chrony or systemd-timesyncd."
    case .refused(_, let refusal) where refusal.status == 403:
      "The policy must allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects; or the credential is wrong, or this host's clock."
    case .refused(_, let refusal) where refusal.isOfBody:
      "S3 got another body than bloblo sent: does a proxy in front of S3 change it?"
    case .refused(_, let refusal) where refusal.isOf("InvalidStorageClass"):
      "Set BLOBLO_S3_STORAGE_CLASS to one that this S3 has."
    case .refused(_, let refusal) where refusal.isOf("InvalidTag"):
      "Check BLOBLO_S3_TAGS."
    case .refused(_, let refusal) where refusal.code?.hasPrefix("KMS.") == true:
      "Check BLOBLO_S3_SSE_KMS_KEY_ID, and the key's own policy."
    case .refused(_, let refusal) where refusal.isOf("QuotaExceeded") || refusal.status == 507:
      "The bucket is full: raise its quota, or remove objects (`bloblo sweep --gone`)."
    case .refused(_, let refusal) where refusal.isOf("AuthorizationHeaderMalformed"):
      "Set BLOBLO_S3_REGION to the region that S3 names."
    case .refused(_, let refusal) where refusal.status >= 500:
      "S3 itself fails: see its status page or its log."
    case .refused, .unexpectedAnswer:
      "Is BLOBLO_S3_ENDPOINT_URL an S3 service, and BLOBLO_S3_REGION right?"
    default: "Check the BLOBLO_S3_ settings."
    }
  }
}

extension S3Error {
  /// The permissions that a key needs to fill.
  static let writeAdvice =
    "want s3:PutObject (and kms:GenerateDataKey for BLOBLO_S3_SSE=aws:kms), or BLOBLO_FILL=off"

  /// Whether a policy may be the cause of a refusal, and not a wrong key or clock.
  var isOfPolicy: Bool {
    guard case .refused(_, let refusal) = self, refusal.status == 403 else { return false }
    return !refusal.isCredentialError
      && !refusal.isOf("SignatureDoesNotMatch", "RequestTimeTooSkewed")
  }
}

extension S3ErrorResponse {
  fileprivate func isOf(_ codes: String...) -> Bool { code.map { codes.contains($0) } ?? false }

  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
  fileprivate var isOfBody: Bool {
    isOf(
      "BadDigest", "InvalidDigest", "IncompleteBody", "XAmzContentSHA256Mismatch",
      "XAmzContentChecksumMismatch")
  }
}
