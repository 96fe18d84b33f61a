internal import S3

/// How objects are kept that fills make.
extension SettingsReader {
  mutating func uploadOptions() -> UploadOptions {
    let encryption = optional(
      "BLOBLO_S3_SSE", want: "one of AES256, aws:kms, aws:kms:dsse"
    ) { ["AES256", "aws:kms", "aws:kms:dsse"].contains($0) ? $0 : nil }
    let keyID = text("BLOBLO_S3_SSE_KMS_KEY_ID")
    if keyID != nil, encryption?.hasPrefix("aws:kms") != true {
      refuse("BLOBLO_S3_SSE_KMS_KEY_ID: want BLOBLO_S3_SSE=aws:kms or aws:kms:dsse with it")
    }
    let isBucketKeyEnabled = boolean("BLOBLO_S3_SSE_BUCKET_KEY", default: false)
    if isBucketKeyEnabled, encryption != "aws:kms" {
      refuse("BLOBLO_S3_SSE_BUCKET_KEY: want BLOBLO_S3_SSE=aws:kms with it")
    }
    return UploadOptions(
      serverSideEncryption: encryption, kmsKeyID: keyID, isBucketKeyEnabled: isBucketKeyEnabled,
      storageClass: storageClass(), tags: tags(),
      isRequesterPaying: boolean("BLOBLO_S3_REQUESTER_PAYS", default: false))
  }

  /// Any name that S3 may come to know, but for those that can't be read at once.
  private mutating func storageClass() -> String? {
    optional(
      "BLOBLO_S3_STORAGE_CLASS",
      want: "a class that is read at once, such as STANDARD, STANDARD_IA or INTELLIGENT_TIERING"
    ) { text in
      let isWord = text.utf8.allSatisfy {
        (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
      }
      return isWord && text != "GLACIER" && text != "DEEP_ARCHIVE" ? text : nil
    }
  }

  /// `name=value,name=value`
  private mutating func tags() -> [ObjectTag] {
    value(
      "BLOBLO_S3_TAGS", default: [],
      want:
        "name=value, separated by commas, at most \(ObjectTag.limit); {repository} in a value is the blob's"
    ) { text in
      var tags: [ObjectTag] = []
      for part in text.split(separator: ",") {
        let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard pair.count == 2, let tag = ObjectTag(String(pair[0]), String(pair[1])) else {
          return nil
        }
        tags.append(tag)
      }
      let areDistinct = Set(tags.map(\.name)).count == tags.count
      return areDistinct && tags.count <= ObjectTag.limit ? tags : nil
    }
  }
}
