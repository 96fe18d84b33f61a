/// How a blob is cut for a multipart upload.
///
/// S3: 5 MiB to 5 GiB a part, but for the last, and 10,000 parts at most. All parts but the last are of
/// one size, which R2 asks for.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
package struct PartSize: Sendable, Equatable {
  package static let smallestBytes: Int64 = 5 << 20
  static let partLimit: Int64 = 10_000

  package let bytes: Int64

  /// - Parameters:
  ///   - size: the blob's, in bytes.
  ///   - preferred: the size of a part as long as 10,000 of them are enough.
  package init(for size: Int64, preferred: Int64) {
    let needed = (size + Self.partLimit - 1) / Self.partLimit
    let mebibyte: Int64 = 1 << 20
    bytes = max(preferred, (needed + mebibyte - 1) / mebibyte * mebibyte)
  }
}
