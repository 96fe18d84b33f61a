import HTTPTransport
import Primitives
import S3
import Testing

struct PresignedURLTests {
  let signer = Signer(SigV4Tests.credential, region: "eu-central-1")

  private func presign(_ lifetime: Duration, _ signer: Signer? = nil) throws -> PresignedURL {
    try PresignedURL(
      .get, ObjectKey("k"), in: Bucket("bucket", region: "eu-central-1"),
      signer: signer ?? self.signer,
      lifetime: lifetime, now: SigV4Tests.now)
  }

  @Test(arguments: [Duration.seconds(1), .seconds(300), .seconds(604_800)])
  func `a lifetime of 1 second to 7 days is taken`(lifetime: Duration) throws {
    let url = try presign(lifetime)
    #expect(url.string.contains("&X-Amz-Expires=\(lifetime.components.seconds)&"))
    #expect(url.expiration == SigV4Tests.now + lifetime.components.seconds)
  }

  @Test(arguments: [
    Duration.zero, .seconds(-1), .seconds(604_801), .milliseconds(1500), .milliseconds(999),
    .nanoseconds(1), .seconds(Int64.max),
  ])
  func `any other lifetime is refused`(lifetime: Duration) {
    #expect(throws: S3Error.lifetimeOutOfRange(lifetime)) { try presign(lifetime) }
  }

  @Test func `a URL ends with its credential`() throws {
    let credential = Credential(
      accessKeyID: "A", secretAccessKey: Secret("S"), sessionToken: Secret("T"),
      expiration: SigV4Tests.now + 100)
    let signer = Signer(credential, region: "eu-central-1")
    #expect(try presign(.seconds(300), signer).expiration == SigV4Tests.now + 100)
    #expect(try presign(.seconds(50), signer).expiration == SigV4Tests.now + 50)
    #expect(credential.isExpired(at: SigV4Tests.now + 100))
    #expect(!credential.isExpired(at: SigV4Tests.now + 99))
  }

  @Test func `what is secret is not shown`() throws {
    let url = try presign(.seconds(60))
    #expect("\(url)" == "<redacted>")
    #expect(String(reflecting: url) == "<redacted>")
    var dumped = ""
    dump(url, to: &dumped)
    #expect(!dumped.contains("X-Amz"))
    dumped = ""
    dump(SigV4Tests.credential, to: &dumped)
    #expect(!dumped.contains("wJalr"))
  }

  @Test func `the public endpoint is signed, unless another is named`() throws {
    let bucket = try Bucket(
      "bucket", region: "r", endpoint: Endpoint("http://minio:9000"),
      publicEndpoint: Endpoint("https://s3.example.com/store"))
    func presign(on endpoint: Endpoint?) throws -> String {
      try PresignedURL(
        .get, ObjectKey("k"), in: bucket, on: endpoint, signer: signer, lifetime: .seconds(60),
        now: SigV4Tests.now
      ).string
    }
    #expect(try presign(on: nil).hasPrefix("https://s3.example.com/store/bucket/k?"))
    #expect(try presign(on: bucket.endpoint).hasPrefix("http://minio:9000/bucket/k?"))
  }
}
