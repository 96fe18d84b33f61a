import HTTPTransport
import Primitives
import S3
import Synchronization
import Testing

/// What S3's answers teach, and what becomes of it.
struct BucketSiteTests {
  static let now = SigV4Tests.now
  private let observer = Observer()

  private func client(
    _ bucket: Bucket? = nil, credential: Credential = SigV4Tests.credential,
    presign: Credential? = nil, options: UploadOptions = UploadOptions()
  ) throws -> BucketClient {
    BucketClient(
      BucketSite(
        try bucket ?? Bucket("bucket", region: "us-east-1"),
        credentials: CredentialStore(credential),
        presignCredentials: presign.map { CredentialStore($0) }, observer: observer),
      uploadOptions: options)
  }

  // MARK: region

  @Test(arguments: [301, 400, 403])
  func `the bucket's true region is learnt, said once and used`(status: Int) throws {
    let client = try client()
    var http = SequenceClient([
      (status, [HTTPField("x-amz-bucket-region", "eu-west-1")]), (404, []), (404, []),
    ])
    #expect(try client.head(ObjectKey("k"), over: &http, now: Self.now) == nil)
    #expect(try client.head(ObjectKey("k"), over: &http, now: Self.now) == nil)
    #expect(
      http.requests.map(\.url) == [
        "https://bucket.s3.us-east-1.amazonaws.com/k",
        "https://bucket.s3.eu-west-1.amazonaws.com/k",
        "https://bucket.s3.eu-west-1.amazonaws.com/k",
      ])
    #expect(http.authorizations[1].contains("/eu-west-1/s3/aws4_request"))
    let url = try client.presign(.get, ObjectKey("k"), lifetime: .seconds(60), now: Self.now)
    #expect(url.string.hasPrefix("https://bucket.s3.eu-west-1.amazonaws.com/k?"))
    #expect(url.string.contains("%2Feu-west-1%2Fs3%2F"))
    #expect(observer.told == ["region eu-west-1 for us-east-1"])
  }

  @Test func `what was signed for another region has another generation`() throws {
    let client = try client()
    let before = client.site.presigningGeneration(at: Self.now)
    var http = SequenceClient([(301, [HTTPField("x-amz-bucket-region", "eu-west-1")]), (404, [])])
    #expect(try client.head(ObjectKey("k"), over: &http, now: Self.now) == nil)
    #expect(client.site.presigningGeneration(at: Self.now) > before)
    let ended = try self.client(credential: temporary(0))
    #expect(ended.site.presigningGeneration(at: Self.now) == -1)
  }

  @Test func `a region that an error's body names is learnt too`() throws {
    let client = try client(
      Bucket("bucket", region: "us-east-1", endpoint: Endpoint("http://h:9000")))
    var http = ScriptedClient(
      400,
      body: "<Error><Code>AuthorizationHeaderMalformed</Code><Region>garage</Region></Error>")
    #expect(throws: S3Error.self) {
      try client.put(
        ObjectKey("k"), .none, sha256: HashFunctionOf.sha256(""), over: &http, now: Self.now)
    }
    // Asked a second time, and no third.
    #expect(http.requests.count == 2)
    #expect(http.requests[1].url == "http://h:9000/bucket/k")
    #expect(client.bucket.region == "garage")
  }

  @Test(arguments: ["us-east-1", "", "no region", "a.b"])
  func `what is no news is no reason to ask again`(region: String) throws {
    let client = try client()
    var http = ScriptedClient(301, [HTTPField("x-amz-bucket-region", region)])
    #expect(throws: S3Error.self) { try client.head(ObjectKey("k"), over: &http, now: Self.now) }
    #expect(http.requests.count == 1)
    #expect(observer.told.isEmpty)
  }

  @Test func `an access point stays where its ARN says`() throws {
    let arn = "arn:aws:s3:us-west-2:123456789012:accesspoint/blobs"
    let client = try client(Bucket(arn, region: "eu-west-1"))
    var http = ScriptedClient(403, [HTTPField("x-amz-bucket-region", "eu-west-1")])
    #expect(throws: S3Error.self) { try client.head(ObjectKey("k"), over: &http, now: Self.now) }
    #expect(
      http.requests.map(\.url) == [
        "https://blobs-123456789012.s3-accesspoint.us-west-2.amazonaws.com/k",
        // Why, it is asked: HEAD is refused without a word.
        "https://blobs-123456789012.s3-accesspoint.us-west-2.amazonaws.com/k",
      ])
  }

  // MARK: refusals

  @Test(arguments: [
    ("AccessDenied", true), ("SignatureDoesNotMatch", false), ("InvalidAccessKeyId", false),
    ("RequestTimeTooSkewed", false),
  ])
  func `why a HEAD was refused is asked for by a byte, once for many`(
    code: String, isAccessDenied: Bool
  ) throws {
    let client = try client()
    var http = ScriptedClient(403, body: "<Error><Code>\(code)</Code></Error>")
    for _ in 0..<3 {
      let error = #expect(throws: S3Error.self) {
        // A body to a HEAD is the test's way to have one for the GET.
        try client.head(ObjectKey("k"), over: &http, now: Self.now)
      }
      #expect(error == .refused(.headObject, S3ErrorResponse(status: 403, code: code)))
      #expect(error?.isAccessDenied == isAccessDenied)
    }
    #expect(http.requests.map(\.method) == [.head, .get, .head, .head])
    #expect(http.requests[1].fields.first(named: "range")?.text == "bytes=0-0")
  }

  @Test(arguments: [200, 206, 404, 500])
  func `a refusal that is not repeated has no code`(status: Int) throws {
    let client = try client()
    // The last one is a HEAD without the wish for a checksum, after a byte that was given.
    var http = SequenceClient([(403, []), (status, []), (403, [])])
    let error = #expect(throws: S3Error.self) {
      try client.head(ObjectKey("k"), over: &http, now: Self.now)
    }
    #expect(error == .refused(.headObject, S3ErrorResponse(status: 403)))
    #expect(error?.isAccessDenied == false)
  }

  @Test(arguments: [
    [(403, []), (206, []), size, (403, []), size], [(400, []), size, (400, []), size],
    [(501, []), size, (501, []), size],
  ])
  func `one that refuses to tell checksums is asked without`(
    answers: [(Int, [HTTPField])]
  ) throws {
    let client = try client()
    var http = SequenceClient(answers)
    for _ in 0..<2 {
      #expect(try client.head(ObjectKey("k"), over: &http, now: Self.now)?.size == 7)
    }
    let asksForChecksum = http.requests.filter { $0.method == .head }
      .map { $0.fields.first(named: "x-amz-checksum-mode") != nil }
    #expect(asksForChecksum == [true, false, true, false])
  }

  private static let size = (200, [HTTPField("Content-Length", "7")])

  // MARK: clock

  @Test(arguments: [
    ("Fri, 24 May 2013 00:16:40 GMT", Int64(1000)), ("Thu, 23 May 2013 23:00:00 GMT", -3600),
  ])
  func `S3's time is learnt when it refuses ours, and used from then on`(date: String, skew: Int64)
    throws
  {
    let client = try client()
    var http = SequenceClient([(403, [HTTPField("Date", date)]), (404, []), (404, [])])
    #expect(try client.head(ObjectKey("k"), over: &http, now: Self.now) == nil)
    let dates = http.requests.map { $0.fields.first(named: "x-amz-date")?.text }
    #expect(dates == [Self.now, Self.now + skew].map { AmazonDate($0).string })
    let url = try client.presign(.get, ObjectKey("k"), lifetime: .seconds(60), now: Self.now)
    #expect(url.string.contains("X-Amz-Date=\(AmazonDate(Self.now + skew).string)&"))
    #expect(observer.told == ["clock \(skew)"])
  }

  @Test func `a minute's difference is left alone, and an end of it is told`() throws {
    let client = try client()
    var http = SequenceClient([
      (404, [HTTPField("Date", "Fri, 24 May 2013 00:00:59 GMT")]),
      (404, [HTTPField("Date", "Fri, 24 May 2013 00:02:00 GMT")]),
      (404, [HTTPField("Date", "Fri, 24 May 2013 00:02:03 GMT")]),
      (404, [HTTPField("Date", "Fri, 24 May 2013 00:00:01 GMT")]),
    ])
    for _ in 0..<4 { _ = try client.head(ObjectKey("k"), over: &http, now: Self.now) }
    #expect(observer.told == ["clock 120", "clock 0"])
    #expect(http.requests.count == 4)
  }

  // MARK: the credential's end

  private func temporary(_ life: Int64) -> Credential {
    Credential(
      accessKeyID: "ASIA", secretAccessKey: Secret("s"), sessionToken: Secret("t"),
      expiration: Self.now + life)
  }

  @Test(arguments: [(Int64(3600), Int64(300)), (300, 300), (299, 299), (10, 10)])
  func `a URL never outlives its credential`(life: Int64, expected: Int64) throws {
    let url = try client(credential: temporary(life)).presign(
      .get, ObjectKey("k"), lifetime: .seconds(300), now: Self.now)
    #expect(url.string.contains("&X-Amz-Expires=\(expected)&"))
    #expect(url.expiration == Self.now + expected)
  }

  @Test func `a URL of a span ends with its credential, whenever in the span it is made`() throws {
    let client = try client(credential: temporary(100))
    let late = Self.now + 50
    let url = try client.presign(.get, ObjectKey("k"), lifetime: .seconds(300), span: 75, now: late)
    #expect(url.expiration == Self.now + 100)
  }

  @Test(arguments: [Int64(9), 1, 0, -5])
  func `near its credential's end nothing is signed`(life: Int64) throws {
    let client = try client(credential: temporary(life))
    let error = #expect(throws: S3Error.self) {
      try client.presign(.get, ObjectKey("k"), lifetime: .seconds(300), now: Self.now)
    }
    #expect(error == (life > 0 ? .credentialEnds(life) : .noCredential))
  }

  @Test func `requests are not signed with what has ended`() throws {
    var http = ScriptedClient(200)
    let client = try client(credential: temporary(0))
    #expect(throws: S3Error.noCredential) {
      try client.head(ObjectKey("k"), over: &http, now: Self.now)
    }
    #expect(http.requests.isEmpty)
  }

  @Test func `a credential of its own signs for clients`() throws {
    let client = try client(
      credential: temporary(5),
      presign: Credential(accessKeyID: "AKIDLONG", secretAccessKey: Secret("s")))
    let url = try client.presign(.get, ObjectKey("k"), lifetime: .seconds(604_800), now: Self.now)
    #expect(url.string.contains("X-Amz-Credential=AKIDLONG%2F"))
    #expect(!url.string.contains("Security-Token"))
    var http = ScriptedClient(404)
    _ = try client.head(ObjectKey("k"), over: &http, now: Self.now)
    #expect(http.requests[0].fields.first(named: "authorization")?.text.contains("ASIA/") == true)
  }

  // MARK: requester pays

  @Test func `who pays is said with every request and in every URL`() throws {
    let client = try client(options: UploadOptions(isRequesterPaying: true))
    var http = ScriptedClient(200, [HTTPField("Content-Length", "1")])
    _ = try client.head(ObjectKey("k"), over: &http, now: Self.now)
    try client.delete(ObjectKey("k"), over: &http, now: Self.now)
    for request in http.requests {
      #expect(request.fields.first(named: "x-amz-request-payer")?.text == "requester")
      #expect(
        request.fields.first(named: "authorization")?.text.contains("x-amz-request-payer") == true)
    }
    let url = try client.presign(.get, ObjectKey("k"), lifetime: .seconds(60), now: Self.now)
    #expect(url.string.contains("&X-Amz-SignedHeaders=host&x-amz-request-payer=requester&"))
  }
}

private final class Observer: BucketObserver {
  private let lines = Mutex<[String]>([])

  var told: [String] { lines.withLock { $0 } }

  func regionLearnt(_ region: String, insteadOf old: String) {
    lines.withLock { $0.append("region \(region) for \(old)") }
  }
  func clockDiffers(by seconds: Int64) { lines.withLock { $0.append("clock \(seconds)") } }
}

/// Answers with one after the other.
struct SequenceClient: ~Copyable, HTTPSending {
  private(set) var requests: [HTTPRequest] = []
  private var answers: [(Int, [HTTPField])]

  init(_ answers: [(Int, [HTTPField])]) { self.answers = answers }

  mutating func send(
    _ request: HTTPRequest, bodyLimit: Int
  ) throws(TransportError) -> HTTPResponse {
    requests.append(request)
    let (status, fields) = answers.removeFirst()
    return HTTPResponse(head: HTTPResponseHead(status: status, fields: fields), body: [])
  }

  var authorizations: [String] {
    requests.map { $0.fields.first(named: "authorization")?.text ?? "" }
  }
}
