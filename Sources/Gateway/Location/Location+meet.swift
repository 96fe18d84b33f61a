package import HTTPTransport
package import Offload
internal import Primitives
package import Registry
internal import S3
internal import Settings
internal import Store

extension Location {
  /// The address at which clients, or the web server for them, read the bucket.
  package var clientEndpoint: String {
    let bucket = store.bucket.bucket
    if settings.policy.delivery == .accelerate { return "\(bucket.endpoint)" }
    return store.cloudFront.map { "\($0.endpoint)" } ?? "\(bucket.publicEndpoint)"
  }

  /// Asks for an object's first byte as clients do, through the URL that they get.
  ///
  /// - Returns: `nil` when no URL can be signed; the log says so elsewhere.
  package func meet(_ digest: Digest, size: Int64?) -> ClientRoad.Outcome? {
    let url: SignedURL
    do {
      url = try store.presign(digest, now: .now())
    } catch {
      return nil
    }
    var limits = settings.s3Limits.forLook
    limits.idle = limits.head
    let request = HTTPRequest(
      .get, String(decoding: url.bytes, as: UTF8.self), fields: [HTTPField("Range", "bytes=0-0")],
      limits: limits)
    let receiver = FirstByte()
    // Its connections end here, so the next look makes a new one.
    var http = HTTPClient()
    do {
      try http.stream(request, to: receiver)
    } catch {
      guard error.kind == .stopped else { return .unreachable(error.message) }
    }
    guard let head = receiver.head else { return .unreachable("no response") }
    return ClientRoad.Outcome(head, receiver.body, size: size)
  }

  /// Notes that the web server could not read an object. If bloblo can't either, no client is sent to it while that
  /// is remembered; if it is gone, it is filled again.
  func examine(_ digest: Digest, size: Int64, by http: inout HTTPClient) {
    switch meet(digest, size: size) {
    case .objectGone, .bad:
      engine.markUnreadable(BlobKey(location: id, digest: digest), by: &http, at: .now())
    case .good, .unreachable, nil: break
    }
  }
}

/// Takes the head and one byte of the body, or as much as an error document has.
private final class FirstByte: HTTPReceiver {
  private(set) var head: HTTPResponseHead?
  private(set) var body: [UInt8] = []

  func receive(head: HTTPResponseHead) -> Bool {
    self.head = head
    return true
  }

  func receive(body bytes: Span<UInt8>) -> Bool {
    guard let head, head.status >= 300 else {
      // One byte is the whole answer; nothing more is wanted.
      return head?.status == 206
    }
    for i in bytes.indices { body.append(bytes[i]) }
    return body.count <= 64 << 10
  }
}

extension ClientRoad.Outcome {
  /// - Parameters:
  ///   - body: of an error.
  ///   - size: the object's; `nil` for one that is not there.
  init(_ head: HTTPResponseHead, _ body: [UInt8], size: Int64?) {
    let refusal = S3ErrorResponse(status: head.status, body: body)
    switch head.status {
    case 200, 206: self = Self.isWhole(head, size) ? .good : .objectGone
    case 416: self = size == 0 ? .good : .objectGone
    case 300..<400 where head.fields.first(named: "location") != nil: self = .good
    case 403 where refusal.code == "InvalidObjectState": self = .objectGone
    // S3 answers 403 for an absent object to clients that may not list the bucket.
    case 403 where size == nil && !refusal.isOfSignature: self = .objectGone
    case 404 where refusal.code != "NoSuchBucket": self = .objectGone
    default: self = .bad("\(refusal)", isOfKey: refusal.isOfSignature)
    }
  }

  private static func isWhole(_ head: HTTPResponseHead, _ size: Int64?) -> Bool {
    guard let size else { return true }
    guard head.status == 206 else { return head.contentLength == nil || head.contentLength == size }
    // "bytes 0-0/1234", RFC 9110 §14.4.
    guard let range = head.fields.first(named: "content-range")?.value,
      let slash = range.lastIndex(of: UInt8(ascii: "/")),
      let total = Int64(decimal: range[(slash + 1)...])
    else { return true }
    return total == size
  }
}

extension S3ErrorResponse {
  /// Whether the error concerns the credential or the clock, and so every URL.
  fileprivate var isOfSignature: Bool {
    isCredentialError
      || ["SignatureDoesNotMatch", "RequestTimeTooSkewed", "AuthorizationQueryParametersError"]
        .contains(code)
  }
}

extension HTTPLimits {
  /// What a look at the same server gets.
  package var forLook: HTTPLimits { within(LookTimes(timeout: head).limit) }

  /// The same, or shorter.
  package func within(_ limit: Duration) -> HTTPLimits {
    var limits = self
    limits.connect = min(connect, limit)
    limits.head = min(head, limit)
    limits.total = min(total ?? limit, limit)
    return limits
  }
}
