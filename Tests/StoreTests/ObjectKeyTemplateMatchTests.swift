import Testing

@testable import S3
@testable import Store

@Suite struct ObjectKeyTemplateMatchTests {
  static let encoded = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
  static let templates = [
    "{digest}", "blobs/{digest}", "{encoded}", "{algorithm}/{encoded:0:2}/{encoded}/data",
    "x{encoded:62:2}-{digest}.{encoded:3:1}", "{encoded}{algorithm}",
  ]

  @Test(arguments: templates)
  func `a key that the template makes is known again`(_ text: String) throws {
    let template = try ObjectKeyTemplate(text)
    for (algorithm, encoded) in [
      ("sha256", Self.encoded), ("sha512", Self.encoded + Self.encoded),
    ] {
      let key = try template.key(algorithm: algorithm, encoded: encoded)
      #expect(template.canMake(key))
      #expect(key.description.hasPrefix(template.prefix))
    }
  }

  @Test(arguments: [
    ("{digest}", encoded), ("{digest}", "sha256:\(encoded)0"), ("{digest}", "sha512:\(encoded)"),
    ("{digest}", "sha256:\(encoded.uppercased())"), ("{digest}", "other/sha256:\(encoded)"),
    ("{digest}", "backup.tar"), ("{encoded}", "sha256:\(encoded)"),
    ("{encoded:0:2}/{encoded}", "6d/\(encoded)"), ("a/{digest}", "b/sha256:\(encoded)"),
    ("{digest}", "sha256:" + String(repeating: "é", count: 32)),
  ])
  func `a key of somebody else is not`(_ text: String, _ key: String) throws {
    #expect(try !ObjectKeyTemplate(text).canMake(ObjectKey(key)))
  }
}
