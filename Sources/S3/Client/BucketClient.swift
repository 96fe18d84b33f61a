package import HTTPTransport
internal import Hashing
package import Primitives

/// The requests to one bucket, each signed and sent once, or twice where the answer tells the
/// bucket's true region, S3's time or another address; whether to try again else is the caller's to say.
///
/// Cheap to copy: what is kept is in the site and in the HTTP client, which each thread brings.
package struct BucketClient: Sendable {
  /// Bytes of a response's body that are read: 1000 uploads, each with the longest key there is, fit.
  static let bodyLimit = 4 << 20

  package let site: BucketSite
  package var limits: HTTPLimits
  package var uploadOptions: UploadOptions

  /// As it is known to be now.
  package var bucket: Bucket { site.bucket }

  /// - Parameter limits: of every request.
  package init(
    _ site: BucketSite, limits: HTTPLimits = HTTPLimits(),
    uploadOptions: UploadOptions = UploadOptions()
  ) {
    self.site = site
    self.limits = limits
    self.uploadOptions = uploadOptions
  }

  /// With one credential for good.
  package init(
    _ bucket: Bucket, credential: Credential, limits: HTTPLimits = HTTPLimits(),
    uploadOptions: UploadOptions = UploadOptions()
  ) {
    self.init(
      BucketSite(bucket, credentials: CredentialStore(credential)), limits: limits,
      uploadOptions: uploadOptions)
  }

  /// Whether there is such a bucket, and we may look into it.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
  package func headBucket<Client: HTTPSending & ~Copyable>(
    over client: inout Client, now: UnixTime
  ) throws(S3Error) {
    let response = try send(.headBucket, method: .head, key: nil, over: &client, now: now)
    guard response.head.status == 200 else {
      throw .refused(.headBucket, S3ErrorResponse(response))
    }
  }

  /// Makes an object of a body that S3 takes whole: 5 GiB at most.
  ///
  /// - Parameters:
  ///   - sha256: of the body, 32 bytes. S3 compares, and keeps it with the object.
  ///   - metadata: names and values that are kept beside the object; ASCII.
  ///   - onlyIfAbsent: an object that is there is left as it is, by servers that can.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
  package func put<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, _ body: HTTPBody, sha256: [UInt8], metadata: [(String, String)] = [],
    onlyIfAbsent: Bool = false, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> UploadOutcome {
    let wanted: UploadFeatures = onlyIfAbsent ? [.checksums, .conditions] : .checksums
    let response = try sendUpload(with: wanted) { features throws(S3Error) in
      var fields = uploadOptions.fields(metadata)
      if features.contains(.checksums) {
        fields.append(HTTPField("x-amz-checksum-sha256", Base64.encode(sha256.span)))
      }
      if features.contains(.conditions) { fields.append(.ifAbsent) }
      return UploadAnswer(
        try send(
          .putObject, method: .put, key: key, fields: fields, body: body,
          payloadHash: .sha256(sha256),
          over: &client, now: now))
    }.response(.putObject)
    switch response.head.status {
    case 200: return .stored(response.head.eTag)
    case 412 where onlyIfAbsent: return .alreadyThere
    default: throw .refused(.putObject, S3ErrorResponse(response))
    }
  }

  /// Removes an object; that there is none is no error.
  ///
  /// - Returns: whether the bucket keeps versions: the object's bytes are still there then, under their own.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
  @discardableResult
  package func delete<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> Bool {
    let response = try send(.deleteObject, method: .delete, key: key, over: &client, now: now)
    let refusal = S3ErrorResponse(response)
    switch response.head.status {
    case 200, 204: return response.head.fields.first(named: "x-amz-version-id") != nil
    case 404 where refusal.code == "NoSuchKey": return false
    default: throw .refused(.deleteObject, refusal)
    }
  }

  /// - Parameters:
  ///   - key: nil for the bucket itself.
  ///   - query: names and values, not percent-encoded.
  func send<Client: HTTPSending & ~Copyable>(
    _ operation: S3Error.Operation, method: HTTPRequest.Method, key: ObjectKey?,
    query: [(String, String)] = [], fields: [HTTPField] = [], body: HTTPBody = .none,
    payloadHash: PayloadHash = .ofNothing, over client: inout Client, now: UnixTime,
    bodyLimit: Int = Self.bodyLimit
  ) throws(S3Error) -> HTTPResponse {
    let request = Unsigned(
      operation: operation, method: method, key: key, query: query,
      fields: fields + uploadOptions.payerFields, body: body, payloadHash: payloadHash,
      bodyLimit: bodyLimit)
    let (first, isWorthRepeating) = try send(request, over: &client, now: now)
    let response =
      isWorthRepeating ? try send(request, over: &client, now: now).response : first
    guard let target = bucket.endpoint.target(ofRedirect: response.head) else { return response }
    return try send(request, to: target, over: &client, now: now).response
  }

  private struct Unsigned {
    let operation: S3Error.Operation
    let method: HTTPRequest.Method
    let key: ObjectKey?
    let query: [(String, String)]
    let fields: [HTTPField]
    let body: HTTPBody
    let payloadHash: PayloadHash
    /// Of the response, in bytes.
    let bodyLimit: Int
  }

  /// - Returns: the response, and whether it was refused for a region or a time that is known better now.
  private func send<Client: HTTPSending & ~Copyable>(
    _ unsigned: Unsigned, to target: String? = nil, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> (response: HTTPResponse, isWorthRepeating: Bool) {
    let time = site.clock.time(at: now)
    guard let (generation, signer) = site.signer(at: time) else { throw .noCredential }
    var request = HTTPRequest(
      unsigned.method, target ?? url(of: unsigned.key, unsigned.query), fields: unsigned.fields,
      body: unsigned.body, limits: limits.bounding(unsigned.operation))
    signer.sign(&request, payloadHash: unsigned.payloadHash, now: time)
    let start = ContinuousClock.now
    let response: HTTPResponse
    do {
      response = try client.send(request, bodyLimit: unsigned.bodyLimit)
    } catch {
      throw .transport(unsigned.operation, TransportFailure(error))
    }
    let seconds = (ContinuousClock.now - start).components.seconds
    if unsigned.operation.isWrite { learn(fromWrite: response) }
    return (response, learn(from: response, generation, sent: now, seconds: seconds))
  }

  private func learn(fromWrite response: HTTPResponse) {
    switch response.head.status {
    case 200: site.learn(writeRefusal: nil)
    case 403:
      let refusal = S3ErrorResponse(response)
      if refusal.isAccessDenied { site.learn(writeRefusal: refusal) }
    default: break
    }
  }

  private func learn(
    from response: HTTPResponse, _ generation: Int, sent: UnixTime, seconds: Int64
  ) -> Bool {
    let head = response.head
    var isNews = false
    if let date = head.fields.first(named: "date").flatMap({ UnixTime(httpDate: $0.text) }) {
      isNews = site.learn(date: date, sent: sent, seconds: seconds)
    }
    // HEAD is refused without a word.
    guard [301, 307, 400, 403].contains(head.status) else { return false }
    let refusal = S3ErrorResponse(response)
    if let region = refusal.bucketRegion, site.learn(region: region) { isNews = true }
    // An ended token is a 400.
    if refusal.isCredentialError || (head.status == 400 && refusal.code == nil) {
      site.invalidate(generation)
    }
    return isNews
  }

  private func url(of key: ObjectKey?, _ query: [(String, String)]) -> String {
    let bucket = bucket
    var url: [UInt8] = []
    _ = bucket.append(urlOf: key, on: bucket.endpoint, to: &url)
    for (i, parameter) in query.enumerated() {
      url.append(UInt8(ascii: i == 0 ? "?" : "&"))
      PercentEncoding.append(parameter.0.utf8, to: &url)
      url.append(UInt8(ascii: "="))
      PercentEncoding.append(parameter.1.utf8, to: &url)
    }
    return String(decoding: url, as: UTF8.self)
  }
}

extension HTTPField {
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
  static let ifAbsent = HTTPField("If-None-Match", "*")
}

extension HTTPResponseHead {
  var eTag: String? { fields.first(named: "etag")?.text }
}
