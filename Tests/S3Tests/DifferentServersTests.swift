import HTTPTransport
import Hashing
import Primitives
import TestSupport
import Testing

@testable import S3

/// Servers that are like S3 but for what they refuse.
struct DifferentServersTests {
  static let now = SigV4Tests.now
  let client: BucketClient
  let key: ObjectKey
  let digest = HashFunctionOf.sha256("blob")

  init() throws {
    let bucket = try Bucket("bucket", region: "r", endpoint: Endpoint("https://s3.example.com"))
    client = BucketClient(bucket, credential: SigV4Tests.credential, limits: .patient)
    key = try ObjectKey("k")
  }

  struct Server: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// The beginning of the names of fields that it refuses.
    let refuses: [String]
    let status: Int
    let code: String
    var message = "m"
    /// How often the first object is sent.
    let first: Int

    func reply(_ request: HTTPRequest) -> (Int, [HTTPField], String) {
      let names = request.fields.map { $0.name.lowercased() }
      guard names.contains(where: { name in refuses.contains { name.hasPrefix($0) } }) else {
        return (200, [HTTPField("ETag", "\"t\"")], "")
      }
      return (status, [], "<Error><Code>\(code)</Code><Message>\(message)</Message></Error>")
    }
  }

  static let servers = [
    Server(
      testDescription: "no checksums, 400", refuses: ["x-amz-checksum"], status: 400,
      code: "InvalidArgument", first: 3),
    Server(
      testDescription: "no checksums, 501", refuses: ["x-amz-checksum"], status: 501,
      code: "NotImplemented", first: 3),
    Server(
      testDescription: "no checksums, and says so", refuses: ["x-amz-checksum"], status: 501,
      code: "NotImplemented", message: "Header 'x-amz-checksum-sha256' not implemented", first: 2),
    Server(
      testDescription: "no conditions, 501", refuses: ["if-none-match"], status: 501,
      code: "NotImplemented", first: 2),
    Server(
      testDescription: "no conditions, 400", refuses: ["if-none-match"], status: 400,
      code: "InvalidArgument", first: 2),
    Server(
      testDescription: "neither", refuses: ["if-none-match", "x-amz-checksum"], status: 400,
      code: "InvalidArgument", first: 4),
  ]

  @Test(arguments: servers)
  func `what is refused is left out, once found out for the bucket`(_ server: Server) throws {
    var http = ScriptedClient(server.reply)
    for puts in 0..<3 {
      #expect(
        try client.put(key, .none, sha256: digest, onlyIfAbsent: true, over: &http, now: Self.now)
          == .stored("\"t\""))
      #expect(http.requests.count == server.first + puts)
    }
    let last = try #require(http.requests.last)
    for name in ["if-none-match", "x-amz-checksum-sha256"] {
      let isRefused = server.refuses.contains { name.hasPrefix($0) }
      #expect((last.fields.first(named: HTTPField.Name(name)) == nil) == isRefused)
    }
  }

  @Test func `parts go up without checksums where none is taken`() throws {
    var http = ScriptedClient { request in
      if request.fields.contains(where: { $0.name.hasPrefix("x-amz-checksum") }) {
        return (400, [], "<Error><Code>InvalidArgument</Code></Error>")
      }
      return (
        200, [HTTPField("ETag", "\"t\"")],
        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
      )
    }
    let upload = try client.createMultipartUpload(key, over: &http, now: Self.now)
    let part = try client.uploadPart(
      upload, number: 1, .none, sha256: digest, over: &http, now: Self.now)
    #expect(http.requests.count == 3)
    #expect(part == UploadedPart(number: 1, eTag: "\"t\"", checksum: nil))
    #expect(
      !String(decoding: UploadedPart.document(of: [part]), as: UTF8.self).contains("Checksum"))
  }

  static let begun =
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
  static let crc = PartChecksum(.crc32c, [1, 2, 3, 4])

  /// What the server got of a part's sum and of its body's hash.
  private func sent(_ request: HTTPRequest) -> [String] {
    ["x-amz-checksum-algorithm", "x-amz-checksum-crc32c", "x-amz-content-sha256"]
      .compactMap { request.fields.first(named: $0)?.text }
  }

  @Test func `over TLS a part goes up with a CRC-32C, and is not hashed for the signature`() throws
  {
    var http = ScriptedClient(200, [HTTPField("ETag", "\"t\"")], body: Self.begun)
    #expect(client.partChecksum == .crc32c)
    let upload = try client.createMultipartUpload(
      key, checksum: .crc32c, over: &http, now: Self.now)
    let part = try client.uploadPart(
      upload, number: 1, body: .none, checksum: Self.crc,
      sha256: { () throws(S3Error) in throw .cannotSign },
      over: &http, now: Self.now)
    #expect(sent(http.requests[0]).first == "CRC32C")
    #expect(sent(http.requests[1]) == ["AQIDBA==", "UNSIGNED-PAYLOAD"])
    #expect(
      String(decoding: UploadedPart.document(of: [part]), as: UTF8.self)
        .contains("<ChecksumCRC32C>AQIDBA==</ChecksumCRC32C>"))
  }

  @Test(arguments: [
    (400, "InvalidRequest", "Checksum algorithm provided is unsupported."),
    (501, "NotImplemented", "m"), (400, "InvalidArgument", "m"),
  ])
  func `a server that does not know CRC-32C gets SHA-256`(
    _ status: Int, _ code: String, _ message: String
  ) throws {
    var http = ScriptedClient { request in
      request.fields.first(named: "x-amz-checksum-algorithm")?.text == "CRC32C"
        ? (status, [], "<Error><Code>\(code)</Code><Message>\(message)</Message></Error>")
        : (200, [], Self.begun)
    }
    let upload = try client.createMultipartUpload(
      key, checksum: .crc32c, over: &http, now: Self.now)
    #expect(upload.checksum == .sha256)
    #expect(http.requests.map { sent($0).first } == ["CRC32C", "SHA256"])
    #expect(client.partChecksum == .sha256)
  }

  @Test(arguments: [(403, "AccessDenied"), (400, "XAmzContentSHA256Mismatch")])
  func `a bucket that wants bodies signed gets them signed`(_ status: Int, _ code: String) throws {
    var http = ScriptedClient { request in
      request.fields.first(named: "x-amz-content-sha256")?.text == "UNSIGNED-PAYLOAD"
        ? (status, [], "<Error><Code>\(code)</Code></Error>")
        : (200, [HTTPField("ETag", "\"t\"")], "")
    }
    let upload = MultipartUpload(key: key, id: UploadID("u"), checksum: .crc32c)
    for number in 1...2 {
      let part = try client.uploadPart(
        upload, number: number, body: .none, checksum: Self.crc,
        sha256: { () throws(S3Error) in digest },
        over: &http, now: Self.now)
      #expect(part.checksum == Self.crc)
    }
    let signed = ["AQIDBA==", Hex.string(digest.span)]
    #expect(http.requests.map(sent) == [["AQIDBA==", "UNSIGNED-PAYLOAD"], signed, signed])
    #expect(client.partChecksum == .sha256)
  }

  @Test func `a part without a checksum is signed`() throws {
    var http = ScriptedClient { request in
      request.fields.contains { $0.name.hasPrefix("x-amz-checksum") }
        ? (501, [], "<Error><Code>NotImplemented</Code><Message>x-amz-checksum</Message></Error>")
        : (200, [HTTPField("ETag", "\"t\"")], "")
    }
    // The server, or the one behind the same name, takes no checksums any more when the upload has begun with them.
    _ = try client.put(key, .none, sha256: digest, over: &http, now: Self.now)
    let upload = MultipartUpload(key: key, id: UploadID("u"), checksum: .crc32c)
    _ = try client.uploadPart(
      upload, number: 1, body: .none, checksum: Self.crc,
      sha256: { () throws(S3Error) in digest }, over: &http, now: Self.now)
    #expect(sent(try #require(http.requests.last)) == [Hex.string(digest.span)])
  }

  @Test func `a key that may not write stays refused, and CRC-32C is tried again`() {
    var http = ScriptedClient(403, body: "<Error><Code>AccessDenied</Code></Error>")
    let upload = MultipartUpload(key: key, id: UploadID("u"), checksum: .crc32c)
    for _ in 0..<3 {
      #expect(throws: S3Error.self) {
        try client.uploadPart(
          upload, number: 1, body: .none, checksum: Self.crc,
          sha256: { () throws(S3Error) in digest },
          over: &http, now: Self.now)
      }
    }
    #expect(client.partChecksum == .crc32c)
  }

  @Test func `a refusal for something else stays one, and is not tried without end`() {
    var http = ScriptedClient(400, body: "<Error><Code>InvalidArgument</Code></Error>")
    for _ in 0..<10 {
      #expect(
        throws: S3Error.refused(.putObject, S3ErrorResponse(status: 400, code: "InvalidArgument"))
      ) {
        try client.put(key, .none, sha256: digest, onlyIfAbsent: true, over: &http, now: Self.now)
      }
    }
    #expect(http.requests.count == 13)
  }

  @Test func `a part without an ETag has a clear reason`() throws {
    var http = ScriptedClient(200)
    let upload = MultipartUpload(key: key, id: UploadID("u"))
    let error = #expect(throws: S3Error.self) {
      try client.uploadPart(upload, number: 1, .none, sha256: digest, over: &http, now: Self.now)
    }
    #expect(error?.description.contains("without an ETag") == true)
  }

  @Test func `of what an object is stands beside it`() throws {
    var http = ScriptedClient(200)
    _ = try client.put(
      key, .none, sha256: digest, metadata: [("bloblo-size", "4")], over: &http, now: Self.now)
    #expect(http.sent.contains("x-amz-meta-bloblo-size: 4"))
  }

  // MARK: 307

  @Test(arguments: [
    "https://s3-2.example.com/bucket/k", "https://bucket.s3.example.com/k",
    "https://s3.example.com:8443/bucket/k",
  ])
  func `a 307 under the endpoint's own domain is followed once, and signed anew`(_ target: String)
    throws
  {
    var http = ScriptedClient { request in
      request.url.hasPrefix("https://s3.example.com/")
        ? (307, [HTTPField("Location", target)], "") : (200, [], "")
    }
    _ = try client.put(key, .none, sha256: digest, over: &http, now: Self.now)
    #expect(http.requests.map(\.url) == ["https://s3.example.com/bucket/k", target])
    let signatures = http.requests.map { $0.fields.first(named: "authorization")?.text }
    #expect(signatures[1] != nil && signatures[0] != signatures[1])
  }

  @Test(arguments: [
    "http://s3-2.example.com/bucket/k", "https://evil.com/bucket/k",
    "https://s3.example.com.evil.com/bucket/k", "https://badexample.com/k", "/bucket/k",
    "https://user@s3-2.example.com/k", "https://s3-2.example.com/k#f", "https://10.0.0.1/k",
  ])
  func `another is not`(_ target: String) {
    var http = ScriptedClient(307, [HTTPField("Location", target)])
    #expect(throws: S3Error.refused(.putObject, S3ErrorResponse(status: 307))) {
      try client.put(key, .none, sha256: digest, over: &http, now: Self.now)
    }
    #expect(http.requests.count == 1)
  }

  @Test func `a 307 that leads to a 307 ends there`() {
    var http = ScriptedClient(307, [HTTPField("Location", "https://s3.example.com/bucket/k")])
    #expect(throws: S3Error.refused(.putObject, S3ErrorResponse(status: 307))) {
      try client.put(key, .none, sha256: digest, over: &http, now: Self.now)
    }
    #expect(http.requests.count == 2)
  }
}
