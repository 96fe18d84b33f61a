import HTTPTransport
import Hashing
import Primitives
import S3
import TestSupport
import Testing

struct BucketClientTests {
  static let now = SigV4Tests.now
  let client: BucketClient
  let key: ObjectKey
  let upload: MultipartUpload
  let digest = HashFunctionOf.sha256("blob")
  let base64 = "+iyMxPKBdrvu1Lc231aaNMec03I+nsQvlnS01GrGuLg="

  init() throws {
    let bucket = try Bucket("bucket", region: "r", endpoint: Endpoint("http://s3:9000"))
    client = BucketClient(bucket, credential: SigV4Tests.credential, limits: .patient)
    key = try ObjectKey("sha256:1+2")
    upload = MultipartUpload(key: key, id: UploadID("u/1+2=="))
  }

  static let accessDenied = """
    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>
    """

  // MARK: HEAD

  @Test func `an object has a size, a tag and perhaps an end`() throws {
    var http = ScriptedClient(
      200,
      [
        HTTPField("Content-Length", "42"), HTTPField("ETag", "\"t\""),
        HTTPField(
          "x-amz-expiration", "expiry-date=\"Fri, 24 May 2013 00:00:01 GMT\", rule-id=\"a GMT\""),
      ])
    #expect(
      try client.head(key, over: &http, now: Self.now)
        == ObjectHead(size: 42, eTag: "\"t\"", expiration: Self.now + 1))
    #expect(
      http.sent == ["HEAD http://s3:9000/bucket/sha256%3A1%2B2", "x-amz-checksum-mode: ENABLED"])
    #expect(http.payloadHash == SHA256.hexOfNothing)
  }

  @Test(arguments: [
    "", "expiry-date=\"soon\"", "expiry-date=\"Fri, 32 May 2013 00:00:01 GMT\"",
    "expiry-date=\"Fri, 24 May 2013 00:00 GMT\"", "expiry-date=\"2013-05-24\"",
  ])
  func `an end that can't be read is none`(value: String) throws {
    var http = ScriptedClient(
      200, [HTTPField("Content-Length", "1"), HTTPField("x-amz-expiration", value)])
    #expect(try client.head(key, over: &http, now: Self.now) == ObjectHead(size: 1))
  }

  @Test func `only a 404 is an absence`() throws {
    var absent = ScriptedClient(404)
    #expect(try client.head(key, over: &absent, now: Self.now) == nil)
    for status in [204, 206, 301, 304, 307, 400, 401, 403, 405, 412, 429, 500, 503] {
      var http = ScriptedClient(status)
      #expect(throws: S3Error.refused(.headObject, S3ErrorResponse(status: status))) {
        try client.head(key, over: &http, now: Self.now)
      }
    }
  }

  @Test func `a size that is missing or no number is no fact`() {
    for fields in [[], [HTTPField("Content-Length", "many")], [HTTPField("Content-Length", "-1")]] {
      var http = ScriptedClient(200, fields)
      let error = #expect(throws: S3Error.self) {
        try client.head(key, over: &http, now: Self.now)
      }
      guard case .unexpectedAnswer(.headObject, _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test func `the bucket's true region is told`() {
    var http = ScriptedClient(301, [HTTPField("x-amz-bucket-region", "eu-west-1")])
    let error = #expect(throws: S3Error.self) { try client.head(key, over: &http, now: Self.now) }
    #expect(
      error?.description == "HeadObject: status 301 (the bucket is in region eu-west-1)")
  }

  @Test func `the transport's failure keeps its words`() {
    let failure = TransportError(.timeout, "Timeout was reached")
    var http = ScriptedClient(failing: failure)
    let error = #expect(throws: S3Error.transport(.headObject, TransportFailure(failure))) {
      try client.head(key, over: &http, now: Self.now)
    }
    #expect(error?.description == "HeadObject: Timeout was reached")
  }

  // MARK: PUT and DELETE

  @Test func `an object is put with its hash and its checksum`() throws {
    var http = ScriptedClient(200, [HTTPField("ETag", "\"t\"")])
    #expect(
      try client.put(key, .bytes(Array("blob".utf8)), sha256: digest, over: &http, now: Self.now)
        == .stored("\"t\""))
    #expect(
      http.sent == [
        "PUT http://s3:9000/bucket/sha256%3A1%2B2", "Content-Type: application/octet-stream",
        "x-amz-checksum-sha256: \(base64)",
      ])
    #expect(http.payloadHash == Hex.string(digest.span))
  }

  @Test func `an object is kept as the operator wants`() throws {
    let client = BucketClient(
      client.bucket, credential: SigV4Tests.credential,
      uploadOptions: UploadOptions(
        serverSideEncryption: "aws:kms", kmsKeyID: "k", isBucketKeyEnabled: true,
        storageClass: "STANDARD_IA",
        tags: [
          try #require(ObjectTag("cost", "a+b")),
          try #require(ObjectTag("repository", "my/app")),
        ], isRequesterPaying: true))
    let wanted = [
      "x-amz-server-side-encryption: aws:kms", "x-amz-server-side-encryption-aws-kms-key-id: k",
      "x-amz-storage-class: STANDARD_IA", "x-amz-request-payer: requester",
      "x-amz-server-side-encryption-bucket-key-enabled: true",
      "x-amz-tagging: cost=a%2Bb&repository=my%2Fapp",
    ]
    var http = ScriptedClient(200)
    _ = try client.put(key, .none, sha256: digest, over: &http, now: Self.now)
    #expect(wanted.allSatisfy(http.sent.contains))
    // Without a checksum a bucket with object lock refuses.
    #expect(http.sent.contains { $0.hasPrefix("x-amz-checksum-sha256: ") })
    http = ScriptedClient(
      200,
      body: "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
    _ = try client.createMultipartUpload(key, over: &http, now: Self.now)
    #expect(wanted.allSatisfy(http.sent.contains))
  }

  @Test func `an object that is there is left, when so wanted`() throws {
    var http = ScriptedClient(412)
    #expect(
      try client.put(key, .none, sha256: digest, onlyIfAbsent: true, over: &http, now: Self.now)
        == .alreadyThere)
    #expect(http.sent.contains("If-None-Match: *"))
    // A 412 that was not asked for is a failure.
    #expect(throws: S3Error.refused(.putObject, S3ErrorResponse(status: 412))) {
      try client.put(key, .none, sha256: digest, over: &http, now: Self.now)
    }
  }

  @Test func `what can be told of a refusal is told`() {
    for (body, words) in [
      (Self.accessDenied, "PutObject: status 403 AccessDenied: Access Denied"),
      ("<html><body>nginx</body></html>", "PutObject: status 403"),
      ("Forbidden", "PutObject: status 403"),
      // What would turn a terminal's line around.
      (
        "<Error><Code>C</Code><Message>a\u{202E}b</Message></Error>",
        "PutObject: status 403 C: a\u{FFFD}b"
      ),
      (
        "<ErrorResponse><Error><Code>C</Code></Error></ErrorResponse>", "PutObject: status 403 C"
      ),
    ] {
      var http = ScriptedClient(403, body: body)
      let error = #expect(throws: S3Error.self) {
        try client.put(key, .none, sha256: digest, over: &http, now: Self.now)
      }
      #expect(error?.description == words)
    }
  }

  @Test func `what is gone may be removed`() throws {
    for (status, body) in [
      (204, ""), (200, ""), (404, "<Error><Code>NoSuchKey</Code></Error>"),
    ] {
      var http = ScriptedClient(status, body: body)
      try client.delete(key, over: &http, now: Self.now)
      #expect(http.sent == ["DELETE http://s3:9000/bucket/sha256%3A1%2B2"])
    }
    for (status, code) in [(404, "NoSuchBucket"), (403, "AccessDenied")] {
      var http = ScriptedClient(status, body: "<Error><Code>\(code)</Code></Error>")
      #expect(throws: S3Error.refused(.deleteObject, S3ErrorResponse(status: status, code: code))) {
        try client.delete(key, over: &http, now: Self.now)
      }
    }
  }

  // MARK: Multipart

  @Test func `an upload begins with the checksums' algorithm`() throws {
    var http = ScriptedClient(
      200,
      body: """
        <?xml version="1.0" encoding="UTF-8"?>
        <InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Bucket>bucket</Bucket><Key>sha256:1+2</Key><UploadId>u/1+2==</UploadId>
        </InitiateMultipartUploadResult>
        """)
    let begun = try client.createMultipartUpload(key, over: &http, now: Self.now)
    #expect(
      begun
        == MultipartUpload(
          key: key, id: upload.id, initiated: Self.now, checksum: .sha256))
    #expect(
      http.sent == [
        "POST http://s3:9000/bucket/sha256%3A1%2B2?uploads=",
        "Content-Type: application/octet-stream", "x-amz-checksum-algorithm: SHA256",
      ])
  }

  @Test func `a part is put with its hash and its checksum`() throws {
    var http = ScriptedClient(200, [HTTPField("ETag", "\"t\"")])
    let part = try client.uploadPart(
      upload, number: 7, .bytes(Array("blob".utf8)), sha256: digest, over: &http, now: Self.now)
    #expect(part == UploadedPart(number: 7, eTag: "\"t\"", checksum: PartChecksum(.sha256, digest)))
    #expect(
      http.sent == [
        "PUT http://s3:9000/bucket/sha256%3A1%2B2?partNumber=7&uploadId=u%2F1%2B2%3D%3D",
        "x-amz-checksum-sha256: \(base64)",
      ])
    #expect(http.payloadHash == Hex.string(digest.span))
  }

  static let completed = """
    <CompleteMultipartUploadResult><ETag>"t-1"</ETag></CompleteMultipartUploadResult>
    """

  private func complete(
    _ http: inout ScriptedClient, onlyIfAbsent: Bool = false
  ) throws(S3Error) -> UploadOutcome {
    try client.completeMultipartUpload(
      upload, [UploadedPart(number: 1, eTag: "\"<&>\"", checksum: PartChecksum(.sha256, digest))],
      onlyIfAbsent: onlyIfAbsent, over: &http, now: Self.now)
  }

  @Test func `an upload is completed with its parts`() throws {
    var http = ScriptedClient(200, body: Self.completed)
    #expect(try complete(&http) == .stored("\"t-1\""))
    #expect(
      http.sent == [
        "POST http://s3:9000/bucket/sha256%3A1%2B2?uploadId=u%2F1%2B2%3D%3D",
        "Content-Type: application/xml",
      ])
    guard case .bytes(let body) = http.requests[0].body else {
      Issue.record("no body")
      return
    }
    let document = String(decoding: body, as: UTF8.self)
    #expect(
      document == """
        <CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\
        <Part><PartNumber>1</PartNumber><ETag>"&lt;&amp;&gt;"</ETag>\
        <ChecksumSHA256>\(base64)</ChecksumSHA256></Part></CompleteMultipartUpload>
        """)
    #expect(http.payloadHash == Hex.string(HashFunctionOf.sha256(document).span))
  }

  @Test func `white space before the answer says that S3 is at work`() throws {
    var http = ScriptedClient(
      200, body: "\n \n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + Self.completed)
    #expect(try complete(&http) == .stored("\"t-1\""))
    http = ScriptedClient(200, body: "  " + Self.accessDenied)
    #expect(
      throws: S3Error.refused(
        .completeMultipartUpload,
        S3ErrorResponse(status: 200, code: "AccessDenied", message: "Access Denied"))
    ) { try complete(&http) }
  }

  @Test(arguments: ["", "<html/>", "<a>", "OK"])
  func `a 200 without the answer's document is a failure`(body: String) {
    var http = ScriptedClient(200, body: body)
    let error = #expect(throws: S3Error.self) { try complete(&http) }
    guard case .unexpectedAnswer(.completeMultipartUpload, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `an upload of what is there is told apart`() throws {
    var http = ScriptedClient(412, body: "<Error><Code>PreconditionFailed</Code></Error>")
    #expect(try complete(&http, onlyIfAbsent: true) == .alreadyThere)
    #expect(http.sent.contains("If-None-Match: *"))
    #expect(throws: S3Error.self) { try complete(&http) }
  }

  @Test func `an upload that is gone may be aborted`() throws {
    for (status, body) in [(204, ""), (404, "<Error><Code>NoSuchUpload</Code></Error>")] {
      var http = ScriptedClient(status, body: body)
      try client.abortMultipartUpload(upload, over: &http, now: Self.now)
      #expect(
        http.sent == ["DELETE http://s3:9000/bucket/sha256%3A1%2B2?uploadId=u%2F1%2B2%3D%3D"])
    }
    var http = ScriptedClient(403, body: Self.accessDenied)
    #expect(throws: S3Error.self) {
      try client.abortMultipartUpload(upload, over: &http, now: Self.now)
    }
  }

  @Test func `uploads are listed by pages`() throws {
    var http = ScriptedClient(
      200,
      body: """
        <ListMultipartUploadsResult>
          <IsTruncated>true</IsTruncated>
          <NextKeyMarker>b&amp;c</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
          <Upload><Key>a</Key><UploadId>u1</UploadId>
            <Initiated>2013-05-24T00:00:05.123Z</Initiated></Upload>
          <Upload><Key>b&amp;c</Key><UploadId>u2</UploadId><Initiated>once</Initiated></Upload>
        </ListMultipartUploadsResult>
        """)
    let page = try client.listMultipartUploads(prefix: "p/", over: &http, now: Self.now)
    #expect(
      page.uploads == [
        MultipartUpload(
          key: try ObjectKey("a"), id: UploadID("u1"), initiated: Self.now + 5),
        MultipartUpload(key: try ObjectKey("b&c"), id: UploadID("u2")),
      ])
    #expect(page.next == MultipartUploadPage.Marker(key: "b&c", uploadID: "u2"))
    _ = try client.listMultipartUploads(after: page.next, limit: 2, over: &http, now: Self.now)
    #expect(
      http.sent == [
        "GET http://s3:9000/bucket?uploads=&max-uploads=1000&prefix=p%2F",
        "GET http://s3:9000/bucket?uploads=&max-uploads=2&key-marker=b%26c&upload-id-marker=u2",
      ])

    var last = ScriptedClient(
      200,
      body: "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
        + "<NextKeyMarker>x</NextKeyMarker></ListMultipartUploadsResult>")
    let end = try client.listMultipartUploads(over: &last, now: Self.now)
    #expect(end.uploads.isEmpty)
    #expect(end.next == nil)
  }

  // MARK: limits

  @Test func `no server holds an upload by a byte now and then`() throws {
    var http = ScriptedClient(500)
    var client = client
    client.limits.idle = .seconds(30)
    _ = try? client.put(key, .bytes([1]), sha256: digest, over: &http, now: Self.now)
    _ = try? client.uploadPart(
      upload, number: 1, .bytes([1]), sha256: digest, over: &http, now: Self.now)
    _ = try? client.completeMultipartUpload(upload, [], over: &http, now: Self.now)
    _ = try? client.createMultipartUpload(key, over: &http, now: Self.now)
    _ = try? client.abortMultipartUpload(upload, over: &http, now: Self.now)
    #expect(http.requests.map(\.limits.minimumProgress) == [65_536, 65_536, 1, 1, 1])
    #expect(
      http.requests.map(\.limits.total)
        == [nil, nil, .seconds(600), .seconds(60), .seconds(60)])
  }
}
