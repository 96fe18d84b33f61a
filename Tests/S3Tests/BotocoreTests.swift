import Foundation
import HTTPTransport
import Primitives
import S3
import Testing

/// What AWS's own presigner makes of the same facts must be what we make.
struct BotocoreTests {
  struct Case: Encodable, Sendable {
    var method = "GET"
    var bucket = "examplebucket"
    var key = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
    var region = "eu-central-1"
    /// nil for AWS's.
    var endpoint: String?
    var style = "path"
    var accessKeyID = "AKIAIOSFODNN7EXAMPLE"
    var secretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    var sessionToken: String?
    var now: Int64 = 1_369_353_600
    var lifetimeSeconds: Int64 = 300
    var isFIPS = false
    var isDualStack = false
    var isAccelerated = false
    var isRequesterPaying = false

    func presign() throws -> String {
      let credential = Credential(
        accessKeyID: accessKeyID, secretAccessKey: Secret(secretAccessKey),
        sessionToken: sessionToken.map { Secret($0) })
      let bucket = try Bucket(
        bucket, region: region, endpoint: endpoint.map { try Endpoint($0) },
        style: AddressingStyle(rawValue: style),
        aws: AWSEndpointOptions(
          isFIPS: isFIPS, isDualStack: isDualStack, isAccelerated: isAccelerated))
      // An access point's region is its ARN's.
      let signer = Signer(credential, region: bucket.region)
      return try PresignedURL(
        #require(HTTPRequest.Method(rawValue: method)), ObjectKey(key), in: bucket, signer: signer,
        lifetime: .seconds(lifetimeSeconds), isRequesterPaying: isRequesterPaying,
        now: UnixTime(seconds: now)
      ).string
    }
  }

  static let keys = [
    "test.txt", "sha256:0123abcd", "a b", " a ", "a+b", "a=b", "a~b", "a'b", "a%b", "a%20b",
    "a%2Fb",
    "a@b", "a:b", "a&b;c?d#e", "a//b", "a//", "//a", "/a", "/", "./a", "a/./b", "a/../b", "..", ".",
    "-._~!$'()*,", "\"<>[]\\^`{|}", "é", "e\u{301}", "日本語/ключ/\u{1F433}", "\u{7F}a\tb\nc",
    "docker/registry/v2/blobs/sha256/6c/6c3c/data", String(repeating: "é", count: 512),
  ]

  static let ways: [(endpoint: String?, style: String)] = [
    (nil, "virtual"), (nil, "path"), ("http://minio:9000", "path"), ("http://minio:80", "path"),
    ("https://s3.example.com:443", "path"), ("https://s3.example.com:8443", "virtual"),
    ("https://s3.example.com", "virtual"), ("http://127.0.0.1:8333", "path"),
    ("http://[::1]:8333", "path"), ("https://gateway.example.com/store/s3", "path"),
    ("https://gateway.example.com/store/", "virtual"), ("https://S3.Example.com/", "path"),
  ]

  static let credentials: [(accessKeyID: String, secret: String, token: String?)] = [
    ("ASIAIOSFODNN7EXAMPLE", "secret", "IQoJb3JpZ2luX2VjEPT//////////wEaC+WV1=="),
    ("ASIAIOSFODNN7EXAMPLE", "secret", String(repeating: "a/+=", count: 400)),
    ("minio/admin+user@example", "s/+= é", nil),
    ("A", String(repeating: "k", count: 128), nil),
  ]

  static let cases: [Case] =
    ways.flatMap { way in
      keys.map { Case(key: $0, endpoint: way.endpoint, style: way.style) }
    }
    + credentials.flatMap { credential in
      ["k", "a b+c"].map {
        Case(
          key: $0, accessKeyID: credential.accessKeyID, secretAccessKey: credential.secret,
          sessionToken: credential.token)
      }
    }
    // The first and last second of a day, a leap day, the last day of a year, and beyond 2038.
    + [0, 1_369_353_599, 1_709_164_800, 1_735_689_599, 4_107_542_400].map { Case(now: $0) }
    + [1, 59, 604_800].map { Case(lifetimeSeconds: $0) }
    + ["us-east-1", "us-gov-west-1", "cn-north-1", "ap-southeast-2"].flatMap { region in
      [Case(region: region, style: "virtual"), Case(region: region, style: "path")]
    }
    + ["HEAD", "PUT", "DELETE"].map { Case(method: $0) }
    + [Case(bucket: "my.dotted.bucket"), Case(bucket: "123")]
    + [Case(bucket: "my.dotted.bucket", endpoint: "http://minio:9000", style: "virtual")]

  // MARK: AWS's endpoints

  static let regions = [
    "us-east-1", "eu-central-1", "ap-southeast-5", "us-gov-west-1", "us-gov-east-1", "cn-north-1",
    "cn-northwest-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-east-1",
  ]
  static let buckets = [
    "examplebucket", "my.dotted.bucket", "blobs-1234567890abcdefghijklmnopqrst-s3alias",
    "arn:aws:s3:us-west-2:123456789012:accesspoint/blobs",
    "arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/blobs",
    "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint:blobs",
  ]
  static let endpointCases =
    regions.flatMap { region in
      buckets.flatMap { bucket in
        [
          (false, false, false), (true, false, false), (false, true, false), (true, true, false),
          (false, false, true), (false, true, true),
        ].compactMap { isFIPS, isDualStack, isAccelerated -> Case? in
          // botocore wants the client's region in the ARN's partition; ours goes by the ARN alone.
          let parts = bucket.split(separator: ":")
          let partition =
            region.hasPrefix("cn-") ? "aws-cn" : region.hasPrefix("us-gov-") ? "aws-us-gov" : "aws"
          guard
            parts.count == 1
              || (parts[1] == partition && !region.contains("iso") && !region.hasPrefix("eusc"))
          else { return nil }
          return Case(
            bucket: bucket, key: "k", region: region,
            style: bucket.contains(".") ? "path" : "virtual", isFIPS: isFIPS,
            isDualStack: isDualStack, isAccelerated: isAccelerated)
        }
      }
    } + [
      // A custom endpoint, with an access point; who pays; and what has no endpoint.
      Case(
        bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint/blobs", region: "us-west-2",
        endpoint: "https://beta.example.com", style: "virtual"),
      Case(isRequesterPaying: true), Case(method: "HEAD", isRequesterPaying: true),
      Case(sessionToken: "t+/=", isRequesterPaying: true),
    ]

  /// The same URL; and where botocore has none, we have none.
  @Test func `botocore finds the same endpoints`() throws {
    let theirs = try Self.botocore(Self.endpointCases)
    try #require(theirs.count == Self.endpointCases.count)
    for (it, their) in zip(Self.endpointCases, theirs) {
      let ours = Result(catching: it.presign)
      switch (ours, their.hasPrefix("refused: ")) {
      case (.success(let ours), false):
        #expect(try URLParts(ours) == URLParts(their), "\(it)")
      case (.failure, true): break
      case (.success(let ours), true): Issue.record("\(ours), theirs \(their): \(it)")
      case (.failure(let error), false): Issue.record("\(error), theirs \(their): \(it)")
      }
    }
  }

  @Test func `botocore presigns the same URLs`() throws {
    let theirs = try Self.botocore(Self.cases)
    try #require(theirs.count == Self.cases.count)
    for (it, their) in zip(Self.cases, theirs) {
      if their.hasPrefix("refused: ") {
        Issue.record("\(it): \(their)")
        continue
      }
      let ours = try it.presign()
      #expect(ours.utf8.allSatisfy { (0x21...0x7E).contains($0) })
      #expect(try URLParts(ours) == URLParts(their), "\(it)")
    }
  }

  /// A URL but for what may differ: the order of the parameters, a default port, the case of the host.
  /// The signature covers all of them.
  private struct URLParts: Equatable {
    var origin: String
    var path: Substring
    var parameters: [String]

    init(_ url: String) throws {
      let question = try #require(url.firstIndex(of: "?"))
      let schemeEnd = try #require(url.range(of: "://"))
      let pathStart = try #require(url[schemeEnd.upperBound...].firstIndex(of: "/"))
      origin = url[..<pathStart].lowercased()
      for (scheme, port) in [("http://", ":80"), ("https://", ":443")]
      where origin.hasPrefix(scheme) && origin.hasSuffix(port) {
        origin.removeLast(port.count)
      }
      path = url[pathStart..<question]
      parameters = url[question...].dropFirst().split(separator: "&").map(String.init).sorted()
    }
  }

  private static func botocore(_ cases: [Case]) throws -> [String] {
    try JSONDecoder().decode([String].self, from: answer(of: "botocore_presign.py", to: cases))
  }
}
