import Foundation
import HTTPTransport
import Hashing
import Primitives
import S3
import TestSupport
import Testing

/// What a real server says: SeaweedFS, the strictest of those that run anywhere, or the one that is named by
/// `BLOBLO_TEST_S3_ENDPOINT`, addressed in `BLOBLO_TEST_S3_STYLE` or by path, takes `AKIDTEST` with
/// `SECRETTEST`, and is given a bucket `bloblo-live`.
@Suite(.serialized) struct LiveBucketTests {
  /// It ends with the test process.
  static let seaweed = Result { try Stack(["s3"]) }
  static let credential = Credential(
    accessKeyID: "AKIDTEST", secretAccessKey: Secret("SECRETTEST"))
  let client: BucketClient
  let key = try! ObjectKey("sha256:live \(UUID().uuidString)/é+=")
  let body = Array("a blob".utf8)
  let digest = HashFunctionOf.sha256("a blob")

  init() throws {
    let environment = ProcessInfo.processInfo.environment
    let bucket = try Bucket(
      "bloblo-live", region: "us-east-1",
      endpoint: Endpoint(
        environment["BLOBLO_TEST_S3_ENDPOINT"] ?? Self.seaweed.get().facts.s3Url ?? ""),
      style: environment["BLOBLO_TEST_S3_STYLE"].flatMap { AddressingStyle(rawValue: $0) })
    client = BucketClient(bucket, credential: Self.credential, limits: .patient)
    var http = HTTPClient()
    var request = HTTPRequest(.put, bucket.url(on: bucket.endpoint), limits: .patient)
    Signer(Self.credential, region: "us-east-1").sign(
      &request, payloadHash: .ofNothing, now: .now())
    _ = try http.send(request, bodyLimit: 1 << 16)
    // SeaweedFS refuses a new bucket's objects for a moment.
    let ready = try ObjectKey(".ready")
    let isWritable = eventually {
      (try? client.put(ready, .bytes(body), sha256: digest, over: &http, now: .now())) != nil
        && (try? client.delete(ready, over: &http, now: .now())) != nil
    }
    #expect(isWritable)
  }

  @Test func `an object comes, is seen, is fetched by a presigned URL, and goes`() throws {
    var http = HTTPClient()
    #expect(try client.head(key, over: &http, now: .now()) == nil)
    let outcome = try client.put(key, .bytes(body), sha256: digest, over: &http, now: .now())
    guard case .stored(.some) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(try client.head(key, over: &http, now: .now())?.size == Int64(body.count))

    let url = try PresignedURL(
      .get, key, in: client.bucket, signer: Signer(Self.credential, region: "us-east-1"),
      lifetime: .seconds(60), now: .now())
    let response = try http.send(HTTPRequest(.get, url.string), bodyLimit: 1 << 16)
    #expect(response.head.status == 200)
    #expect(response.body == body)
    let past = try PresignedURL(
      .get, key, in: client.bucket, signer: Signer(Self.credential, region: "us-east-1"),
      lifetime: .seconds(60),
      now: .now() + -3600)
    #expect(try http.send(HTTPRequest(.get, past.string), bodyLimit: 1 << 16).head.status == 403)

    try client.delete(key, over: &http, now: .now())
    try client.delete(key, over: &http, now: .now())
    #expect(try client.head(key, over: &http, now: .now()) == nil)
  }

  @Test func `an object that is there stays`() throws {
    var http = HTTPClient()
    _ = try client.put(
      key, .bytes(body), sha256: digest, onlyIfAbsent: true, over: &http, now: .now())
    #expect(
      try client.put(
        key, .bytes(body), sha256: digest, onlyIfAbsent: true, over: &http, now: .now())
        == .alreadyThere)
    try client.delete(key, over: &http, now: .now())
  }

  @Test func `another credential is refused, and that is no absence`() throws {
    var http = HTTPClient()
    for (credential, code) in [
      (
        Credential(accessKeyID: "AKIDTEST", secretAccessKey: Secret("WRONG")),
        "SignatureDoesNotMatch"
      ),
      (
        Credential(accessKeyID: "NOBODY", secretAccessKey: Secret("SECRETTEST")),
        "InvalidAccessKeyId"
      ),
    ] {
      let stranger = BucketClient(
        client.bucket, credential: credential)
      #expect(throws: S3Error.refused(.headObject, S3ErrorResponse(status: 403, code: code))) {
        try stranger.head(key, over: &http, now: .now())
      }
      #expect(throws: S3Error.self) {
        try stranger.put(key, .bytes(body), sha256: digest, over: &http, now: .now())
      }
    }
  }

  @Test func `a body that is not what it claims is refused`() throws {
    var http = HTTPClient()
    #expect(throws: S3Error.self) {
      try client.put(
        key, .bytes(Array("a blot".utf8)), sha256: digest, over: &http, now: .now())
    }
    #expect(try client.head(key, over: &http, now: .now()) == nil)
  }

  @Test func `an upload in parts is hidden until it is completed`() throws {
    var http = HTTPClient()
    // S3 takes no smaller part, unless it is the last.
    let parts = [
      [UInt8](repeating: 1, count: 5 << 20), Array("the last part".utf8),
    ]
    let upload = try client.createMultipartUpload(key, over: &http, now: .now())
    var uploaded: [UploadedPart] = []
    for (i, part) in parts.enumerated() {
      var hash = HashFunction(.sha256)
      hash.update(part.span)
      uploaded.append(
        try client.uploadPart(
          upload, number: i + 1, .bytes(part), sha256: hash.finalize(), over: &http, now: .now()))
    }
    #expect(throws: S3Error.self) {
      try client.uploadPart(
        upload, number: 3, .bytes(body), sha256: HashFunctionOf.sha256("else"), over: &http,
        now: .now())
    }
    #expect(try client.head(key, over: &http, now: .now()) == nil)
    let page = try client.listMultipartUploads(over: &http, now: .now())
    #expect(page.uploads.contains { $0.key == key && $0.id == upload.id && $0.initiated != nil })

    let outcome = try client.completeMultipartUpload(
      upload, uploaded, onlyIfAbsent: true, over: &http, now: .now())
    #expect(outcome != .alreadyThere)
    #expect(
      try client.head(key, over: &http, now: .now())?.size
        == Int64(parts.reduce(0) { $0 + $1.count }))

    let second = try client.createMultipartUpload(key, over: &http, now: .now())
    let part = try client.uploadPart(
      second, number: 1, .bytes(body), sha256: digest, over: &http, now: .now())
    #expect(
      try client.completeMultipartUpload(
        second, [part], onlyIfAbsent: true, over: &http, now: .now()) == .alreadyThere)
    try client.abortMultipartUpload(second, over: &http, now: .now())
    try client.abortMultipartUpload(second, over: &http, now: .now())
    #expect(
      try !client.listMultipartUploads(over: &http, now: .now()).uploads.contains {
        $0.id == second.id
      })
    try client.delete(key, over: &http, now: .now())
  }
}
