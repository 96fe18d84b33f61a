import Registry
import Testing

@Suite struct FollowedHostsTests {
  static let from = "https://registry.example/v2/a/blobs/sha256:1"

  private func target(_ names: String, _ location: String, from: String = Self.from) -> String {
    guard let hosts = FollowedHosts(names) else { return "no names" }
    do throws(FollowedHosts.Refusal) {
      return try hosts.target(of: Array(location.utf8), from: from)
    } catch {
      switch error {
      case .notNamed(let host): return "notNamed(\"\(host)\")"
      case .downgrade(let host): return "downgrade(\"\(host)\")"
      case .unreadable: return "unreadable"
      }
    }
  }

  @Test(arguments: [
    ("s3.example", "https://s3.example/b?sig=1"), ("S3.Example", "https://s3.example/b"),
    ("a.example, s3.example", "https://s3.example/b"),
    ("s3.example:9000", "https://s3.example:9000/b"),
    ("s3.example:443", "https://s3.example/b"), ("127.0.0.1:9000", "https://127.0.0.1:9000/b"),
    ("[::1]:9000", "https://[::1]:9000/b"), ("localhost", "https://localhost/b"),
  ])
  func `who is named is followed`(_ names: String, _ location: String) {
    #expect(target(names, location) == location)
  }

  @Test(arguments: [
    ("s3.example", "https://s3.example:9000/b", "notNamed(\"s3.example:9000\")"),
    ("s3.example:9000", "https://s3.example/b", "notNamed(\"s3.example\")"),
    ("example", "https://s3.example/b", "notNamed(\"s3.example\")"),
    ("s3.example", "https://s3.example.evil/b", "notNamed(\"s3.example.evil\")"),
    ("s3.example", "https://127.0.0.1/b", "notNamed(\"127.0.0.1\")"),
    ("s3.example", "https://169.254.169.254/latest", "notNamed(\"169.254.169.254\")"),
    ("s3.example", "http://s3.example/b", "downgrade(\"s3.example\")"),
    ("s3.example", "https://user@s3.example/b", "unreadable"),
    ("s3.example", "https://evil@s3.example@/b", "unreadable"),
    ("s3.example", "ftp://s3.example/b", "unreadable"),
    ("s3.example", "https://s3.example/\u{7F}", "unreadable"),
    ("s3.example", "https:\\\\s3.example/b", "unreadable"), ("s3.example", "b", "unreadable"),
    ("s3.example", "/b", "notNamed(\"registry.example\")"),
    ("s3.example", "//evil.example/b", "notNamed(\"evil.example\")"),
  ])
  func `nobody else is`(_ names: String, _ location: String, _ refusal: String) {
    #expect(target(names, location) == refusal)
  }

  @Test func `http may lead to http and to https`() {
    let from = "http://registry:5000/v2/a/blobs/sha256:1"
    #expect(target("s3:9000", "http://s3:9000/b", from: from) == "http://s3:9000/b")
    #expect(target("s3.example", "https://s3.example/b", from: from) == "https://s3.example/b")
  }

  @Test func `a fragment is not sent`() {
    #expect(target("s3.example", "https://s3.example/b?x#f") == "https://s3.example/b?x")
  }

  @Test(arguments: [
    "", "https://s3.example", "s3.example/b", "a b", "user@s3", "s3:0", "s3:x", "s3,",
  ])
  func `what is no host is refused`(_ text: String) {
    #expect(FollowedHosts(text) == nil)
  }
}
