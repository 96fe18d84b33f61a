internal import S3

/// The storage options of objects that fills make.
extension SettingsReader {
  mutating func uploadOptions() -> UploadOptions {
    let encryption = value(Declared.encryption)
    let keyID = value(Declared.encryptionKey)
    if keyID != nil, encryption?.hasPrefix("aws:kms") != true {
      refuse("\(Declared.encryptionKey.name): want BLOBLO_S3_SSE=aws:kms or aws:kms:dsse with it")
    }
    let isBucketKeyEnabled = value(Declared.bucketKey)
    if isBucketKeyEnabled, encryption != "aws:kms" {
      refuse("\(Declared.bucketKey.name): want BLOBLO_S3_SSE=aws:kms with it")
    }
    return UploadOptions(
      serverSideEncryption: encryption, kmsKeyID: keyID, isBucketKeyEnabled: isBucketKeyEnabled,
      storageClass: value(Declared.storageClass), tags: value(Declared.tags),
      isRequesterPaying: value(Declared.requesterPays))
  }
}

/// Takes any class, also one that S3 may add later, except those that can't be read at once.
func readStorageClass(_ text: String) -> String? {
  let isWord = text.utf8.allSatisfy {
    (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
  }
  return isWord && text != "GLACIER" && text != "DEEP_ARCHIVE" ? text : nil
}

/// `name=value,name=value`
func readObjectTags(_ text: String) -> [ObjectTag]? {
  var tags: [ObjectTag] = []
  for part in text.split(separator: ",") {
    let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard pair.count == 2, let tag = ObjectTag(String(pair[0]), String(pair[1])) else { return nil }
    tags.append(tag)
  }
  let areDistinct = Set(tags.map(\.name)).count == tags.count
  return areDistinct && tags.count <= ObjectTag.limit ? tags : nil
}
