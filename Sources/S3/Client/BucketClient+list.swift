internal import HTTPTransport
package import Primitives

extension BucketClient {
  /// One page of the bucket's objects.
  ///
  /// - Parameters:
  ///   - prefix: of their keys; empty for all.
  ///   - token: the `next` of the page before; nil for the first.
  ///   - limit: objects on the page, 1…1000.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
  package func listObjects<Client: HTTPSending & ~Copyable>(
    prefix: String = "", after token: String? = nil, limit: Int = 1000,
    over client: inout Client, now: UnixTime
  ) throws(S3Error) -> ObjectPage {
    var query = [("list-type", "2"), ("max-keys", String(limit))]
    if !prefix.isEmpty { query.append(("prefix", prefix)) }
    if let token { query.append(("continuation-token", token)) }
    let document = try document(
      .listObjects, name: "ListBucketResult",
      in: send(.listObjects, method: .get, key: nil, query: query, over: &client, now: now))
    return try ObjectPage(document)
  }
}
