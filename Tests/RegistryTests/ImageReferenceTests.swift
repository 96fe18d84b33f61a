import Testing

@testable import Registry

@Suite struct ImageReferenceTests {
  struct Case: Sendable {
    let text: String
    var host: String?
    let name: String
    var tag: String?
    var digest: String?
  }

  static let digest = "sha256:" + String(repeating: "a", count: 64)

  @Test(arguments: [
    Case(text: "alpine", name: "alpine", tag: "latest"),
    Case(text: "team/app:1.2", name: "team/app", tag: "1.2"),
    Case(text: "docker.io/alpine", host: "docker.io", name: "library/alpine", tag: "latest"),
    Case(text: "docker.io/a/b", host: "docker.io", name: "a/b", tag: "latest"),
    Case(text: "localhost/a", host: "localhost", name: "a", tag: "latest"),
    Case(text: "Ghcr.IO/a/b:v", host: "ghcr.io", name: "a/b", tag: "v"),
    Case(text: "host:5000/a", host: "host:5000", name: "a", tag: "latest"),
    Case(text: "[::1]:5000/a:B", host: "[::1]:5000", name: "a", tag: "B"),
    Case(text: "a@\(digest)", name: "a", digest: digest),
    Case(text: "h.x/a:t@\(digest)", host: "h.x", name: "a", tag: "t", digest: digest),
  ])
  func `a reference is read as Docker reads it`(_ row: Case) throws {
    let reference = try #require(ImageReference(row.text))
    #expect(reference.host == row.host)
    #expect(reference.name.description == row.name)
    #expect(reference.tag == row.tag)
    #expect(reference.digest?.description == row.digest)
  }

  @Test(arguments: [
    "", "UPPER", "a:", "a:.x", "a@sha256:1", "a b", "host:x/a", "host:5000/", "a:b:c/d", "a//b",
    "a:\(String(repeating: "t", count: 129))", "-h.x'/a",
  ])
  func `what is no reference is refused`(_ text: String) {
    #expect(ImageReference(text) == nil)
  }

  @Test func `a platform without a variant matches every variant`() throws {
    let wish = try #require(Platform("linux/arm"))
    #expect(wish.matches(Platform(os: "linux", architecture: "arm", variant: "v7")))
    #expect(
      Platform("linux/arm/v6")?.matches(wish) == false
        && Platform("linux") == nil && Platform("linux//v7") == nil)
  }
}

@Suite struct AuthChallengeTests {
  @Test func `a bearer challenge is read with commas in its quotes`() throws {
    let challenge = try #require(
      AuthChallenge(
        #"Bearer realm="https://a/t",service="x \"y\"",Scope="repository:a/b:pull,push",error=no"#))
    #expect(challenge.scheme == "bearer")
    #expect(
      challenge.parameters == [
        "realm": "https://a/t", "service": #"x "y""#, "scope": "repository:a/b:pull,push",
        "error": "no",
      ])
  }

  @Test func `the first of two challenges counts`() {
    let challenge = AuthChallenge(#"Basic realm="a", Bearer realm="b""#)
    #expect(challenge?.scheme == "basic" && challenge?.parameters == ["realm": "a"])
  }

  @Test func `a scheme alone is a challenge, nothing is none`() {
    #expect(AuthChallenge("Negotiate")?.parameters == [:])
    #expect(AuthChallenge("") == nil)
  }
}
