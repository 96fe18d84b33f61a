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

    func presign() throws -> String {
      let signer = Signer(
        Credential(
          accessKeyID: accessKeyID, secretAccessKey: Secret(secretAccessKey),
          sessionToken: sessionToken.map { Secret($0) }),
        region: region)
      let bucket = try Bucket(
        bucket, region: region, endpoint: endpoint.map { try Endpoint($0) },
        style: AddressingStyle(rawValue: style))
      return try PresignedURL(
        #require(HTTPRequest.Method(rawValue: method)), ObjectKey(key), in: bucket, signer: signer,
        lifetime: .seconds(lifetimeSeconds), now: UnixTime(seconds: now)
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

  @Test func `botocore presigns the same URLs`() throws {
    let theirs = try Self.botocore(Self.cases)
    try #require(theirs.count == Self.cases.count)
    for (it, their) in zip(Self.cases, theirs) {
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
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "botocore_presign.py")
    let python = ProcessInfo.processInfo.environment["BLOBLO_TEST_PYTHON"] ?? "python3"
    // By way of a file: the cases are more than a pipe holds.
    let input = FileManager.default.temporaryDirectory
      .appending(path: "bloblo-presign-\(UUID().uuidString).json")
    try JSONEncoder().encode(cases).write(to: input)
    defer { try? FileManager.default.removeItem(at: input) }

    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [python, script.path]
    process.standardInput = try FileHandle(forReadingFrom: input)
    process.standardOutput = output
    try process.run()
    let answer = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(
      process.terminationStatus == 0,
      "no botocore for \(python): `make test` installs it and sets BLOBLO_TEST_PYTHON")
    return try JSONDecoder().decode([String].self, from: answer)
  }
}
