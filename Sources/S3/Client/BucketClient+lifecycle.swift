internal import HTTPTransport
package import Primitives
internal import XML

extension BucketClient {
  /// After how many days the bucket's rules abort multipart uploads; nil when none does.
  ///
  /// - Parameter prefix: of the uploads' keys; a rule for other keys alone does not count.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>
  package func incompleteUploadLife<Client: HTTPSending & ~Copyable>(
    ofKeysWith prefix: String, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> Int? {
    let response = try send(
      .getBucketLifecycle, method: .get, key: nil, query: [("lifecycle", "")], over: &client,
      now: now)
    let refusal = S3ErrorResponse(response)
    if response.head.status == 404, refusal.code == "NoSuchLifecycleConfiguration" { return nil }
    let document = try document(.getBucketLifecycle, name: "LifecycleConfiguration", in: response)
    return Self.incompleteUploadLife(in: document, of: prefix)
  }

  static func incompleteUploadLife(in document: XMLElement, of prefix: String) -> Int? {
    document.all("Rule").filter { rule in
      rule.text(of: "Status") == "Enabled" && prefix.hasPrefix(Self.prefix(of: rule))
    }
    .compactMap { rule in
      rule.first("AbortIncompleteMultipartUpload")?.text(of: "DaysAfterInitiation")
        .flatMap { Int($0) }
    }.min()
  }

  /// Where it stands has changed with the years. (Rules by tags can't abort uploads.)
  private static func prefix(of rule: XMLElement) -> String {
    let filter = rule.first("Filter")
    return filter?.text(of: "Prefix") ?? filter?.first("And")?.text(of: "Prefix")
      ?? rule.text(of: "Prefix") ?? ""
  }
}
