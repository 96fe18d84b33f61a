import Foundation
import Hashing
import Primitives
import S3
import Testing

struct CloudFrontSignerTests {
  private struct Case: Encodable {
    var kind: String
    var pem: String
    var id = "K2JCJMDEHXQW5F"
    var expires: Int64
    var given: String
  }

  static let now = UnixTime(seconds: 1_369_353_605)
  static let keys = ["sha256:0123", "docker/a b+c/é'=", "//a", "~-._"]
  static let algorithms = [
    ("rsa", ["genrsa", "2048"]), ("rsa", ["genrsa", "-traditional", "2048"]),
    ("ecdsa", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("ecdsa", ["ecparam", "-name", "prime256v1", "-genkey", "-noout"]),
  ]

  @Test func `botocore signs the same URLs, or takes ours`() throws {
    var cases: [Case] = []
    for (kind, command) in Self.algorithms {
      let pem = try openssl(command)
      let key = try PrivateKey(pem: Array(pem.utf8))
      #expect((key.kind == .rsa) == (kind == "rsa"))
      for endpoint in ["https://d111111abcdef8.cloudfront.net", "https://cdn.example.com/blobs"] {
        let signer = try CloudFrontSigner(
          Endpoint(endpoint), keyPairID: "K2JCJMDEHXQW5F", key: key)
        for name in Self.keys {
          let url = try signer.presign(
            ObjectKey(name), lifetime: .seconds(300), span: 75, now: Self.now)
          #expect(url.expiration == UnixTime(seconds: 1_369_353_600 + 300))
          #expect("\(url)" == "<redacted>")
          cases.append(
            Case(kind: kind, pem: pem, expires: url.expiration.seconds, given: url.string))
        }
      }
    }
    let verdicts = try JSONDecoder().decode(
      [String].self, from: answer(of: "cloudfront.py", to: cases))
    #expect(verdicts == cases.map(\.given))
  }

  @Test(arguments: [
    ["genpkey", "-algorithm", "ED25519"],
    ["ecparam", "-name", "secp384r1", "-genkey", "-noout"],
  ])
  func `a key that CloudFront does not take is refused`(command: [String]) throws {
    let pem = try openssl(command)
    #expect(throws: PrivateKey.Failure.unsupported) { try PrivateKey(pem: Array(pem.utf8)) }
  }

  @Test func `what is no private key is refused, and no password is asked for`() throws {
    let locked = try openssl(["genrsa", "-aes256", "-passout", "pass:secret", "2048"])
    for pem in [locked, "", "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n"] {
      #expect(throws: PrivateKey.Failure.unreadable) { try PrivateKey(pem: Array(pem.utf8)) }
    }
  }

  private func openssl(_ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let pem = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: pem, as: UTF8.self)
  }
}
