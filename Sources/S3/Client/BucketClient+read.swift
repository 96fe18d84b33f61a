internal import HTTPTransport
package import Primitives

extension BucketClient {
  /// Reads a part of an object, into memory.
  ///
  /// - Parameter range: not empty, within the object.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
  package func read<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, _ range: Range<Int64>, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> [UInt8] {
    let count = Int(range.upperBound - range.lowerBound)
    let response = try send(
      .getObject, method: .get, key: key,
      fields: [HTTPField("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")],
      over: &client, now: now, bodyLimit: max(count, 64 << 10))
    guard response.head.status == 206 else { throw .refused(.getObject, S3ErrorResponse(response)) }
    let place = response.head.fields.first(named: "content-range")?.text ?? ""
    guard place.hasPrefix("bytes \(range.lowerBound)-\(range.upperBound - 1)/"),
      response.body.count == count
    else {
      throw .unexpectedAnswer(.getObject, reason: "another range than was asked for")
    }
    return response.body
  }
}
