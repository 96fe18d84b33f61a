import Hashing
import Registry
import Testing

struct GrammarTests {
  static let hex = String(repeating: "0123456789abcdef", count: 4)
  static let digest = "sha256:\(hex)"

  struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    var isValid = false
    var testDescription: String { String(text.prefix(60)) }
  }

  @Test func `what has a part in common with others does not meet them in a table`() {
    // As a client may ask for: no blob needs to be there.
    let hashes = (0..<1000).map { number in
      let digits = String(0x1000 + number, radix: 16)
      return Digest("sha256:" + digits + String(repeating: "0", count: 64 - digits.count))?
        .hashValue
    }
    #expect(Set(hashes).count == 1000)
  }

  @Test(arguments: [
    "a", "0", "library/alpine", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c/d", "a1.b2_c3__d4-e5",
    "blobs", "blobs/blobs", String(repeating: "a", count: 255),
  ])
  func `a name is what the grammar says`(name: String) {
    #expect(RepositoryName(name)?.description == name)
  }

  @Test(arguments: [
    "", "A", "a/", "/a", "a//b", ".", "..", "a/..", "../a", "a/../b", "a..b", "a.", ".a", "_a",
    "a_",
    "a___b", "a-", "-a", "a/-b", "a._b", "a b", "a%2fb", "a%2Fb", "a\\b", "a:b", "a?b", "a\0", "\0",
    "é", "a\n", "a+b", String(repeating: "a", count: 256),
  ])
  func `no other name is one`(name: String) { #expect(RepositoryName(name) == nil) }

  @Test(arguments: [digest, "sha512:\(hex)\(hex)"])
  func `a digest is of an algorithm that we can verify`(text: String) throws {
    let digest = try #require(Digest(text))
    #expect(digest.description == text)
    #expect(digest.encoded.count == digest.algorithm.byteCount * 2)
  }

  @Test(arguments: [
    "", ":", "sha256", "sha256:", hex, "sha256:\(hex.dropLast())", "sha256:\(hex)0",
    "sha256:\(hex.uppercased())", "SHA256:\(hex)", "sha256-\(hex)", "sha256%3a\(hex)",
    "sha384:\(hex)\(hex.prefix(32))", "sha512:\(hex)", "sha256:\(hex)\(hex)",
    "sha1:\(hex.prefix(40))",
    "md5:\(hex.prefix(32))", "sha256:\(hex.dropLast())g", "sha256:\(hex.dropLast())\0",
    "sha256:\(hex.dropLast())/", " \(digest)", "\(digest) ", "sha256:\(hex)\n",
  ])
  func `no other digest is one`(text: String) { #expect(Digest(text) == nil) }

  static func path(_ target: String) -> BlobPath? {
    BlobPath(requestTarget: Array(target.utf8).span)
  }

  struct PathCase: Sendable, CustomTestStringConvertible {
    let target: String
    let name: String
    var testDescription: String { String(target.prefix(60)) }
  }

  @Test(arguments: [
    PathCase(target: "/v2/a/blobs/\(digest)", name: "a"),
    PathCase(target: "/v2/library/alpine/blobs/\(digest)", name: "library/alpine"),
    PathCase(target: "/v2/a/blobs/\(digest)?ns=docker.io", name: "a"),
    PathCase(target: "/v2/a/blobs/\(digest)?", name: "a"),
    PathCase(target: "/v2/a/blobs/\(digest)?x=/v2/b/blobs/\(digest)", name: "a"),
    PathCase(target: "/v2/blobs/blobs/\(digest)", name: "blobs"),
    PathCase(target: "/v2/a/blobs/b/blobs/\(digest)", name: "a/blobs/b"),
    PathCase(target: "/v2/v2/blobs/sha512:\(hex)\(hex)", name: "v2"),
  ])
  func `a blob's plain path is read, and its query dropped`(c: PathCase) throws {
    let path = try #require(Self.path(c.target))
    #expect(path.name.description == c.name)
    #expect(String(decoding: path.bytes, as: UTF8.self) == c.target.split(separator: "?")[0])
  }

  @Test(arguments: [
    "", "/", "/v2", "/v2/", "v2/a/blobs/\(digest)", "/v1/a/blobs/\(digest)",
    "//v2/a/blobs/\(digest)",
    "/v2//a/blobs/\(digest)", "/v2/a//blobs/\(digest)", "/v2/a/blobs//\(digest)",
    "/v2/blobs/\(digest)", "/v2//blobs/\(digest)", "/blobs/\(digest)", "/v2/a/blobs/\(digest)/",
    "/v2/a/blobs/\(digest)#f", "/v2/a/blobs/", "/v2/a/blobs/\(digest)%00",
    "/v2/a/blobs/\(digest)\0",
    "/v2/a%2fb/blobs/\(digest)", "/v2/a/%62lobs/\(digest)", "/v2/a/blobs/sha256%3A\(hex)",
    "/v2/a/../b/blobs/\(digest)", "/v2/./a/blobs/\(digest)", "/v2/../v2/a/blobs/\(digest)",
    "/v2/A/blobs/\(digest)", "/v2/a/Blobs/\(digest)", "/v2/a/manifests/\(digest)",
    "/v2/a/blobs/uploads/", "/v2/a/xblobs/\(digest)", "/v2/a/blobs/sha256:\(hex.uppercased())",
    "/v2/a?/blobs/\(digest)", "http://h/v2/a/blobs/\(digest)", "?/v2/a/blobs/\(digest)",
    "/v2/\(String(repeating: "a/", count: 50_000))a/blobs/\(digest)",
  ])
  func `no other path is a blob's`(target: String) {
    #expect(Self.path(target) == nil)
  }
}
