/// Where a URL names the bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
package enum AddressingStyle: String, CaseIterable, Sendable {
  /// `https://s3.example.com/bucket/key`
  case path
  /// `https://bucket.s3.example.com/key`
  case virtual
}
