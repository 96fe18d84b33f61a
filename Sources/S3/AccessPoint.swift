internal import Primitives

/// A bucket's door with a name and a policy of its own, named by its ARN:
/// `arn:aws:s3:us-west-2:123456789012:accesspoint/blobs`.
///
/// Its alias, which ends with `-s3alias`, is a bucket's name as any other.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html>
struct AccessPoint: Hashable, Sendable {
  let region: String
  /// What stands before the endpoint: `blobs-123456789012`.
  let hostLabel: String

  /// - Returns: nil for a text that is no ARN.
  /// - Throws: `.invalidBucketName` for an ARN that is not an access point's, or of a kind that needs more
  ///   than SigV4.
  init?(_ text: String) throws(S3Error) {
    guard text.hasPrefix("arn:") else { return nil }
    func refuse(_ reason: String) -> S3Error { .invalidBucketName(text, reason: reason) }
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6 else {
      throw refuse("want arn:PARTITION:s3:REGION:ACCOUNT:accesspoint/NAME")
    }
    guard parts[2] == "s3" else {
      throw refuse("want an access point of the service s3, got \(parts[2])")
    }
    let resource = parts[5].split(
      omittingEmptySubsequences: false, whereSeparator: { $0 == "/" || $0 == ":" })
    guard resource.count == 2, resource[0] == "accesspoint", Self.isLabel(resource[1]) else {
      throw refuse("want accesspoint/NAME at its end")
    }
    let region = String(parts[3])
    guard !region.isEmpty else {
      throw refuse("a multi-region access point needs SigV4A: name the one of a region")
    }
    guard Region.isValid(region), Partition(of: region).rawValue == parts[1] else {
      throw refuse("the region \(region) is not in the partition \(parts[1])")
    }
    guard parts[4].utf8.count == 12, parts[4].utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw refuse("want an account of 12 digits")
    }
    self.region = region
    hostLabel = "\(resource[1])-\(parts[4])"
  }

  private static func isLabel(_ text: Substring) -> Bool {
    (3...50).contains(text.utf8.count)
      && text.utf8.allSatisfy {
        PercentEncoding.isUnreserved($0) && $0 != 0x2E && $0 != 0x7E && $0 != 0x5F
      }
  }
}
