import HTTPTransport
import Hashing
import Primitives
import S3
import Testing

/// The examples of <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>,
/// each stage apart: the page gives the canonical request's hash within the string to sign.
struct SigV4Tests {
  static let credential = Credential(
    accessKeyID: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
  /// 2013-05-24T00:00:00Z
  static let now = UnixTime(seconds: 1_369_353_600)

  struct Sample: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var request: HTTPRequest
    var payloadHash = PayloadHash.ofNothing
    var canonicalRequest: String
    var canonicalRequestHash: String
    var signedHeaders = "host;x-amz-content-sha256;x-amz-date"
    var signature: String
  }

  static let samples = [
    Sample(
      testDescription: "GET Object",
      request: HTTPRequest(
        .get, "https://examplebucket.s3.amazonaws.com/test.txt",
        fields: [HTTPField("Range", "bytes=0-9")]),
      canonicalRequest: """
        GET
        /test.txt

        host:examplebucket.s3.amazonaws.com
        range:bytes=0-9
        x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        x-amz-date:20130524T000000Z

        host;range;x-amz-content-sha256;x-amz-date
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        """,
      canonicalRequestHash: "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
      signedHeaders: "host;range;x-amz-content-sha256;x-amz-date",
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    Sample(
      testDescription: "PUT Object",
      request: HTTPRequest(
        .put, "https://examplebucket.s3.amazonaws.com/test%24file.text",
        fields: [
          HTTPField("Date", "Fri, 24 May 2013 00:00:00 GMT"),
          HTTPField("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ]),
      payloadHash: PayloadHash.sha256(
        HashFunctionOf.sha256("Welcome to Amazon S3.")),
      canonicalRequest: """
        PUT
        /test%24file.text

        date:Fri, 24 May 2013 00:00:00 GMT
        host:examplebucket.s3.amazonaws.com
        x-amz-content-sha256:44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072
        x-amz-date:20130524T000000Z
        x-amz-storage-class:REDUCED_REDUNDANCY

        date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class
        44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072
        """,
      canonicalRequestHash: "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
      signedHeaders: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    Sample(
      testDescription: "GET Bucket Lifecycle",
      request: HTTPRequest(.get, "https://examplebucket.s3.amazonaws.com/?lifecycle"),
      canonicalRequest: """
        GET
        /
        lifecycle=
        host:examplebucket.s3.amazonaws.com
        x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        x-amz-date:20130524T000000Z

        host;x-amz-content-sha256;x-amz-date
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        """,
      canonicalRequestHash: "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    Sample(
      testDescription: "GET Bucket (List Objects)",
      request: HTTPRequest(.get, "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2"),
      canonicalRequest: """
        GET
        /
        max-keys=2&prefix=J
        host:examplebucket.s3.amazonaws.com
        x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        x-amz-date:20130524T000000Z

        host;x-amz-content-sha256;x-amz-date
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        """,
      canonicalRequestHash: "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
  ]

  @Test(arguments: samples)
  func `a published request is signed as published`(sample: Sample) throws {
    let signer = Signer(Self.credential, region: "us-east-1")
    var request = sample.request
    signer.sign(&request, payloadHash: sample.payloadHash, now: Self.now)

    let canonicalRequest = CanonicalRequest(request, payloadHash: sample.payloadHash)
    #expect(canonicalRequest.string == sample.canonicalRequest)
    #expect(canonicalRequest.signedHeaders == sample.signedHeaders)

    let date = AmazonDate(Self.now)
    let scope = signer.scope(on: date)
    let stringToSign = StringToSign(canonicalRequest, date: date, scope: scope)
    #expect(
      stringToSign.string == """
        AWS4-HMAC-SHA256
        20130524T000000Z
        20130524/us-east-1/s3/aws4_request
        \(sample.canonicalRequestHash)
        """)
    #expect(
      Hex.string(signer.signature(of: stringToSign, on: date).span) == sample.signature)
    #expect(
      request.fields.first(named: "authorization")?.text
        == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        + "SignedHeaders=\(sample.signedHeaders),Signature=\(sample.signature)")
  }

  /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
  @Test func `the published URL is presigned as published, stage by stage`() throws {
    let signer = Signer(Self.credential, region: "us-east-1")
    let query = """
      X-Amz-Algorithm=AWS4-HMAC-SHA256\
      &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
      &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host
      """
    let canonicalRequest = CanonicalRequest(
      presigning: .get, path: Array("/test.txt".utf8).span, query: Array(query.utf8).span,
      host: Array("examplebucket.s3.amazonaws.com".utf8).span)
    #expect(
      canonicalRequest.string == """
        GET
        /test.txt
        \(query)
        host:examplebucket.s3.amazonaws.com

        host
        UNSIGNED-PAYLOAD
        """)

    let date = AmazonDate(Self.now)
    let stringToSign = StringToSign(canonicalRequest, date: date, scope: signer.scope(on: date))
    #expect(
      stringToSign.string == """
        AWS4-HMAC-SHA256
        20130524T000000Z
        20130524/us-east-1/s3/aws4_request
        3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04
        """)

    let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    #expect(Hex.string(signer.signature(of: stringToSign, on: date).span) == signature)

    let bucket = try Bucket(
      "examplebucket", region: "us-east-1", endpoint: Endpoint("https://s3.amazonaws.com"),
      style: .virtual)
    let url = try PresignedURL(
      .get, ObjectKey("test.txt"), in: bucket, signer: signer, lifetime: .seconds(86400),
      now: Self.now)
    #expect(
      url.string
        == "https://examplebucket.s3.amazonaws.com/test.txt?\(query)&X-Amz-Signature=\(signature)")
    #expect(String(decoding: url.host, as: UTF8.self) == "examplebucket.s3.amazonaws.com")
    #expect(
      String(decoding: url.target, as: UTF8.self)
        == "/test.txt?\(query)&X-Amz-Signature=\(signature)")
    #expect(url.expiration == Self.now + 86400)
  }

  struct KeySample: Sendable {
    var secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    var now: UnixTime
    var region = "us-east-1"
    var service: String
    var key: String
  }

  /// The first of <https://docs.aws.amazon.com/general/latest/gr/signature-v4-examples.html>, the second
  /// of <https://docs.aws.amazon.com/general/latest/gr/sigv4-calculate-signature.html>, both pages as they
  /// were before AWS moved SigV4 to the IAM guide.
  @Test(arguments: [
    KeySample(
      now: UnixTime(seconds: 1_329_264_000), service: "iam",
      key: "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"),
    KeySample(
      now: UnixTime(seconds: 1_440_938_160), service: "iam",
      key: "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"),
  ])
  func `a published signing key is derived`(sample: KeySample) {
    let scope = CredentialScope(
      date: AmazonDate(sample.now), region: sample.region, service: sample.service)
    let key = SigningKey.bytes(secretAccessKey: sample.secret, scope: scope)
    #expect(Hex.string(key.span) == sample.key)
  }

  @Test func `a signer outlives its day`() throws {
    let bucket = try Bucket("examplebucket", region: "us-east-1")
    let signer = Signer(Self.credential, region: "us-east-1")
    func url(_ signer: Signer, _ now: UnixTime) throws -> String {
      try PresignedURL(
        .get, ObjectKey("k"), in: bucket, signer: signer, lifetime: .seconds(60), now: now
      ).string
    }
    // Forth, over midnight, and back: as clocks are set.
    for second: Int64 in [0, 86_399, 86_400, 86_399, 200_000, 0] {
      let now = Self.now + second
      let fresh = Signer(Self.credential, region: "us-east-1")
      #expect(try url(signer, now) == url(fresh, now))
    }
  }

  @Test func `threads share a signer`() async throws {
    let bucket = try Bucket("examplebucket", region: "us-east-1")
    let signer = Signer(Self.credential, region: "us-east-1")
    let key = try ObjectKey("k")
    let urls = try await withThrowingTaskGroup(of: Set<String>.self) { group in
      for task in 0..<4 {
        group.addTask {
          var urls: Set<String> = []
          for i in 0..<200 {
            // Each task on another side of midnight.
            let now = Self.now + Int64((i + task) % 2) * 86_400
            urls.insert(
              try PresignedURL(
                .get, key, in: bucket, signer: signer, lifetime: .seconds(60), now: now
              ).string)
          }
          return urls
        }
      }
      return try await group.reduce(into: Set()) { $0.formUnion($1) }
    }
    #expect(urls.count == 2)
  }

  @Test func `values are trimmed, runs of spaces are one, names are joined`() {
    let request = HTTPRequest(
      .get, "http://h:80/?b=2&a&b=1&B=",
      fields: [
        HTTPField("X-B", "  a   b\t c "), HTTPField("x-a", "1"), HTTPField("X-A", "2"),
        HTTPField("User-Agent", "u"), HTTPField("x-empty", ""),
      ])
    #expect(
      CanonicalRequest(request, payloadHash: .unsigned).string == """
        GET
        /
        B=&a=&b=1&b=2
        host:h
        x-a:1,2
        x-b:a b c
        x-empty:

        host;x-a;x-b;x-empty
        UNSIGNED-PAYLOAD
        """)
  }

  @Test func `a request can be signed again`() {
    let signer = Signer(
      Credential(
        accessKeyID: "A", secretAccessKey: Secret("S"), sessionToken: Secret("T/+=")),
      region: "us-east-1")
    var once = HTTPRequest(.get, "https://h/k")
    signer.sign(&once, payloadHash: .ofNothing, now: Self.now)
    var twice = HTTPRequest(.get, "https://h/k")
    signer.sign(&twice, payloadHash: .unsigned, now: Self.now + 100_000)
    signer.sign(&twice, payloadHash: .ofNothing, now: Self.now)
    #expect(twice.fields == once.fields)
    #expect(once.fields.first(named: "x-amz-security-token")?.text == "T/+=")
    #expect(
      once.fields.first(named: "authorization")?.text.contains("x-amz-security-token") == true)
  }
}

enum HashFunctionOf {
  static func sha256(_ text: String) -> [UInt8] {
    var hash = HashFunction(.sha256)
    hash.update(Array(text.utf8).span)
    return hash.finalize()
  }
}
