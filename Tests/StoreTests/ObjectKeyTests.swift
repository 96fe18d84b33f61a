import S3
import Store
import Testing

struct ObjectKeyTests {
  static let encoded = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"

  @Test(arguments: ["", String(repeating: "a", count: 1025), String(repeating: "é", count: 513)])
  func `a key has 1 to 1024 bytes`(key: String) {
    #expect(
      throws: S3Error.invalidObjectKey(reason: "want 1 to 1024 bytes, got \(key.utf8.count)")
    ) { try ObjectKey(key) }
  }

  @Test func `a key is UTF-8`() throws {
    #expect(throws: S3Error.invalidObjectKey(reason: "want UTF-8")) {
      try ObjectKey(utf8: [0xFF, 0x41])
    }
    #expect(try ObjectKey(utf8: Array("é".utf8)) == ObjectKey("é"))
    #expect(try ObjectKey(String(repeating: "a", count: 1024)).utf8.count == 1024)
  }

  @Test(arguments: [
    ("{digest}", "sha256:\(encoded)"),
    ("{encoded}", encoded),
    (
      "docker/registry/v2/blobs/{algorithm}/{encoded:0:2}/{encoded}/data",
      "docker/registry/v2/blobs/sha256/6c/\(encoded)/data"
    ),
    (
      "datastorage/registry/{algorithm}/{encoded:0:2}/{encoded}",
      "datastorage/registry/sha256/6c/\(encoded)"
    ),
    ("{encoded:2:2}/{encoded:62:2}/{digest}", "3c/3b/sha256:\(encoded)"),
    ("bücher/{digest}", "bücher/sha256:\(encoded)"),
  ])
  func `a template makes a key`(template: String, key: String) throws {
    let template = try ObjectKeyTemplate(template)
    #expect(try template.key(algorithm: "sha256", encoded: Self.encoded) == ObjectKey(key))
  }

  @Test func `the default is the digest`() throws {
    #expect(try ObjectKeyTemplate("{digest}") == .digest)
  }

  @Test(arguments: [
    ("", "two blobs could share a key"), ("blobs", "two blobs could share a key"),
    ("{algorithm}", "two blobs could share a key"),
    ("{encoded:0:64}", "two blobs could share a key"),
    ("{encoded:0:2}/{algorithm}", "two blobs could share a key"),
    ("{digest", "want a closing brace for each opening one"),
    ("digest}", "want a closing brace for each opening one"),
    ("{digest}}", "want a closing brace for each opening one"), ("{}", "unknown placeholder {}"),
    ("{Digest}", "unknown placeholder {Digest}"), ("{hex}", "unknown placeholder {hex}"),
    ("{{digest}}", "unknown placeholder {{digest}"),
    ("{encoded:0}", "unknown placeholder {encoded:0}"),
    ("{encoded:0:0}", "unknown placeholder {encoded:0:0}"),
    ("{encoded:63:2}", "unknown placeholder {encoded:63:2}"),
    ("{encoded:-1:2}", "unknown placeholder {encoded:-1:2}"),
    ("{encoded:+1:2}", "unknown placeholder {encoded:+1:2}"),
    ("{encoded:99999999999999999999:2}", "unknown placeholder"),
    ("{algorithm:0:2}", "unknown placeholder {algorithm:0:2}"),
    ("../{digest}", "want no segment . or .."), ("a/./{digest}", "want no segment . or .."),
    (String(repeating: "a", count: 900) + "{digest}", "want keys of 1 to 1024 bytes, got 1035"),
  ])
  func `what is no template is refused, with the reason`(template: String, reason: String) {
    let error = #expect(throws: S3Error.self) { try ObjectKeyTemplate(template) }
    guard case .invalidKeyTemplate(template, let words) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(words.contains(reason))
  }

  @Test func `a digest too short for a template is refused`() throws {
    #expect(throws: S3Error.self) {
      try ObjectKeyTemplate.digest.key(algorithm: "sha256", encoded: "abc")
    }
  }
}
