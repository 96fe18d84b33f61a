package import HTTPTransport
internal import Hashing
package import Primitives

/// The requests to one bucket, each signed and sent once: whether to try again is the caller's to say.
///
/// Cheap to make: what is kept is in the signer and in the HTTP client, which each thread brings.
package struct BucketClient: Sendable {
  /// Bytes of a response's body that are read: 1000 uploads, each with the longest key there is, fit.
  static let bodyLimit = 4 << 20

  package let bucket: Bucket
  package let signer: Signer
  package let limits: HTTPLimits
  package let uploadOptions: UploadOptions

  /// - Parameters:
  ///   - signer: for the bucket's region, and `s3`.
  ///   - limits: of every request.
  package init(
    _ bucket: Bucket, signer: Signer, limits: HTTPLimits = HTTPLimits(),
    uploadOptions: UploadOptions = UploadOptions()
  ) {
    self.bucket = bucket
    self.signer = signer
    self.limits = limits
    self.uploadOptions = uploadOptions
  }

  /// What S3 knows of an object; nil when there is none.
  ///
  /// A 403 is an error: S3 says so of an absent object too, to those who may not list the bucket. A 404
  /// may also be for the bucket: to HEAD there is no body that would tell.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
  package func head<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> ObjectHead? {
    let response = try send(.headObject, .head, key, over: &client, now: now)
    switch response.head.status {
    case 200:
      guard let head = ObjectHead(response.head) else {
        throw .unexpectedAnswer(.headObject, reason: "status 200 without a Content-Length")
      }
      return head
    case 404: return nil
    default: throw .refused(.headObject, S3Refusal(response))
    }
  }

  /// Makes an object of a body that S3 takes whole: 5 GiB at most.
  ///
  /// - Parameters:
  ///   - sha256: of the body, 32 bytes. S3 compares, and keeps it with the object.
  ///   - onlyIfAbsent: an object that is there is left as it is. A server that can't (501) throws a
  ///     refusal that `isNotImplemented`; some ignore it.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
  package func put<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, _ body: HTTPBody, sha256: [UInt8], onlyIfAbsent: Bool = false,
    over client: inout Client, now: UnixTime
  ) throws(S3Error) -> UploadOutcome {
    var fields = uploadOptions.fields
    fields.append(HTTPField("x-amz-checksum-sha256", Base64.encode(sha256.span)))
    if onlyIfAbsent { fields.append(.ifAbsent) }
    let response = try send(
      .putObject, .put, key, fields: fields, body: body, payloadHash: .sha256(sha256),
      over: &client, now: now)
    switch response.head.status {
    case 200: return .stored(response.head.eTag)
    case 412 where onlyIfAbsent: return .alreadyThere
    default: throw .refused(.putObject, S3Refusal(response))
    }
  }

  /// Removes an object; that there is none is no error.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
  package func delete<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, over client: inout Client, now: UnixTime
  ) throws(S3Error) {
    let response = try send(.deleteObject, .delete, key, over: &client, now: now)
    let refusal = S3Refusal(response)
    switch response.head.status {
    case 200, 204: return
    case 404 where refusal.code == "NoSuchKey": return
    default: throw .refused(.deleteObject, refusal)
    }
  }

  /// - Parameters:
  ///   - key: nil for the bucket itself.
  ///   - query: names and values, not percent-encoded.
  func send<Client: HTTPSending & ~Copyable>(
    _ operation: S3Error.Operation, _ method: HTTPRequest.Method, _ key: ObjectKey?,
    query: [(String, String)] = [], fields: [HTTPField] = [], body: HTTPBody = .none,
    payloadHash: PayloadHash = .ofNothing, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> HTTPResponse {
    var url: [UInt8] = []
    _ = bucket.append(urlOf: key, on: bucket.endpoint, to: &url)
    for (i, parameter) in query.enumerated() {
      url.append(UInt8(ascii: i == 0 ? "?" : "&"))
      PercentEncoding.append(parameter.0.utf8, to: &url)
      url.append(UInt8(ascii: "="))
      PercentEncoding.append(parameter.1.utf8, to: &url)
    }
    var request = HTTPRequest(
      method, String(decoding: url, as: UTF8.self), fields: fields, body: body, limits: limits)
    signer.sign(&request, payloadHash: payloadHash, now: now)
    do {
      return try client.send(request, bodyLimit: Self.bodyLimit)
    } catch {
      throw .transport(operation, TransportFailure(error))
    }
  }
}

extension HTTPField {
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
  static let ifAbsent = HTTPField("If-None-Match", "*")
}

extension HTTPResponseHead {
  var eTag: String? { fields.first(named: "etag")?.text }
}
