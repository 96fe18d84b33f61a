import HTTPTransport
import Registry
import Testing

private let digest = GrammarTests.digest
private let hex = GrammarTests.hex
private let other = "sha256:" + String(repeating: "f", count: 64)

struct JudgeTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let status: Int
    var fields: [(String, String)] = []
    var redirect = UpstreamRegistry.Redirect.digest
    /// The size that is proven, or `nil`.
    var proves: Int64??
    var refusal: Unproven?
    var testDescription: String { "\(status) \(fields) \(redirect)" }
  }

  static let path = BlobPath(name: RepositoryName("a")!, digest: Digest(digest)!)

  private func check(_ c: Case) {
    let upstream = UpstreamRegistry(url: "http://r", redirect: c.redirect)
    let head = HTTPResponseHead(status: c.status, fields: c.fields.map { HTTPField($0.0, $0.1) })
    do throws(Unproven) {
      let proof = try upstream.judge(head, Self.path)
      #expect(c.proves == .some(proof.size))
    } catch {
      #expect(c.refusal == error)
    }
  }

  @Test(arguments: [
    Case(status: 200, fields: [("Content-Length", "42")], proves: .some(42)),
    Case(status: 200, fields: [("content-LENGTH", "1")], proves: .some(1)),
    // Only one digest is that of nothing.
    Case(status: 200, fields: [("Content-Length", "0")], proves: .some(nil)),
    Case(status: 200, proves: .some(nil)),
    Case(status: 200, fields: [("Content-Length", "-1")], proves: .some(nil)),
    Case(status: 200, fields: [("Content-Length", "+1")], proves: .some(nil)),
    Case(status: 200, fields: [("Content-Length", "1e3")], proves: .some(nil)),
    Case(
      status: 200, fields: [("Content-Length", "1125899906842624")], proves: .some(1 << 50)),
    Case(status: 200, fields: [("Content-Length", "1125899906842625")], proves: .some(nil)),
    Case(
      status: 206, fields: [("Content-Range", "bytes 0-0/9223372036854775807")],
      proves: .some(nil)),
    Case(
      status: 200, fields: [("Content-Length", "42"), ("Content-Encoding", "gzip")],
      proves: .some(nil)),
    Case(
      status: 200, fields: [("Content-Length", "42"), ("Docker-Content-Digest", digest)],
      proves: .some(42)),
    Case(
      status: 206, fields: [("Content-Length", "1"), ("Content-Range", "bytes 0-0/1234")],
      proves: .some(1234)),
    Case(status: 206, fields: [("Content-Length", "1")], proves: .some(nil)),
    Case(status: 206, fields: [("Content-Range", "bytes 0-0/*")], proves: .some(nil)),
    Case(status: 206, fields: [("Content-Range", "bytes 0-0/-5")], proves: .some(nil)),
  ])
  func `an answer with the blob proves it`(c: Case) { check(c) }

  @Test(arguments: [
    Case(status: 200, fields: [("Content-Type", "text/html; charset=utf-8")], refusal: .page),
    Case(status: 200, fields: [("Content-Type", "Text/HTML")], refusal: .page),
    Case(status: 206, fields: [("Content-Type", "application/xhtml+xml")], refusal: .page),
    Case(status: 200, fields: [("Docker-Content-Digest", other)], refusal: .otherDigest),
    Case(
      status: 307, fields: [("Docker-Content-Digest", other), ("Location", "/\(hex)")],
      refusal: .otherDigest),
  ])
  func `an answer with something else proves nothing`(c: Case) { check(c) }

  @Test(arguments: [201, 204, 400, 401, 403, 404, 405, 416, 429, 500, 503])
  func `a refusal keeps its status`(status: Int) {
    check(Case(status: status, refusal: .status(status)))
  }

  private static let split = "\(hex.prefix(2))/\(hex.dropFirst(2))"
  static let storage = [
    "https://s3/docker/registry/v2/blobs/sha256/01/\(hex)/data?X-Amz-Signature=1",
    "https://cdn/\(hex)?Expires=1&Signature=2&Key-Pair-Id=3",
    "https://cdn/sha256%3A\(hex)?se=1&sig=2",
    "https://cdn/\(digest)?X-Goog-Signature=1", "https://cdn/\(hex.uppercased())?x-amz-signature=1",
    "/pulp/container/a/blobs/\(digest)?expires=1&validate_token=2:3",
    "https://s3/artifact/\(split)?X-Amz-Signature=1",
    "//s3/b/\(hex)?temp_url_sig=1&temp_url_expires=2",
    "https://minio:9000/b/v2/app/blobs/\(digest)?X-Amz-Signature=1",
    "https://storage.googleapis.com/b/docker%2Fregistry%2F\(hex)%2Fdata?GoogleAccessId=a&Signature=b",
    "https://gitlab-cdn/\(hex)/data?Expires=1&KeyName=k&Signature=s",
    "https://hub-cdn/registry-v2/\(hex)/data?verify=1608229893-abc",
  ]
  static let elsewhere = [
    "https://login/?return=/v2/a/blobs/\(digest)", "https://login/#/v2/a/blobs/\(digest)",
    "https://login/", "", "https://r/v2/a/blobs/\(digest)", "/v2/a/blobs/\(digest)",
    "https://r/v2/canonical/a/blobs/\(digest)?x=1", "https://r/v2/a/blobs/\(digest)/",
    "https://r/V2/a/BLOBS/\(digest.uppercased())", "https://r/v2/a%2Fblobs%2Fsha256%3A\(hex)",
    "https://r/v2/a/blobs/sha256%3a\(hex)", "https://r/%76%32/a/%62lobs/\(digest)",
    "https://login/return/%252Fv2%252Fa%252Fblobs%252Fsha256%253A\(hex)",
    "https://r/v2/a/blobs/\(digest)/login", "https://r/v2/a/blobs/\(digest);s=1",
    "https://\(hex).login/", "https://cdn/\(other)", "https://cdn/\(hex)",
    // No storage, though the digest is in the path.
    "https://login/continue/v2/a/blobs/\(digest)", "/login;continue=v2/a/blobs/\(digest)",
    "/v2/a/blobs/./\(digest)", "/v2/a/blobs/./\(digest)?sp=r&sig=1",
    "/v2/x/../a/blobs/\(digest)?sp=r&sig=1",
    "https://r/errors/403/\(digest)", "https://r/errors/403/\(hex)",
    "https://login/v2-secret-app-blobs-\(digest)",
    "https://login/v2-secret-app-blobs-\(digest)?sp=r&sig=1",
    "https://login/\(hex)x?X-Amz-Signature=1", "https://\(hex)?X-Amz-Signature=1",
    "https://\(hex)/?X-Amz-Signature=1", "https://login/?X-Amz-Signature=1&path=/\(hex)",
    "https://s3/\(other)?X-Amz-Signature=1", "https://s3/\(hex)?X-Amz-Signature=",
    "https://s3/\(hex)?X-Amz-Signature", "https://s3/\(hex)?Signature=1",
    "https://s3/\(hex)#?sp=r&sig=1",
    "https://idp/login/\(hex)?sso=a&sig=b", "https://login/\(hex)?verify=1",
    "https://login/\(hex)?verify=email-1", "https://login/\(hex)?temp_url_sig=1",
    "https://login/\(hex)?SAMLRequest=1&SigAlg=2&Signature=3", "https://s3/%25\(hex)?sp=r&sig=1",
    "https://s3/\(hex.prefix(20))/x/\(hex.dropFirst(20))?sp=r&sig=1",
    "https://user:p@\(hex)?sp=r&sig=1",
    "?sp=r&sig=1&\(hex)", "#\(hex)?sp=r&sig=1", "https:\(hex)?sig=x", "sha256?sig=\(digest)",
  ]

  @Test(arguments: storage) func `a redirect to the blob's storage proves it`(location: String) {
    for status in [301, 302, 303, 307, 308] {
      check(Case(status: status, fields: [("Location", location)], proves: .some(nil)))
    }
    check(
      Case(
        status: 307, fields: [("Location", location)], redirect: .never, refusal: .redirectElsewhere
      ))
    check(Case(status: 304, fields: [("Location", location)], refusal: .redirectElsewhere))
  }

  @Test(arguments: elsewhere) func `a redirect to elsewhere proves nothing`(location: String) {
    check(Case(status: 307, fields: [("Location", location)], refusal: .redirectElsewhere))
    check(Case(status: 307, fields: [("Location", location)], redirect: .any, proves: .some(nil)))
  }

  /// `BLOBLO_UPSTREAM_FOLLOW` names storages whose URLs need no signature; and here the registry itself, by mistake.
  @Test(arguments: [
    ("https://storage.example/files/\(hex)", true), ("https://storage.example/\(digest)?a=b", true),
    ("https://storage.example/v2/a/blobs/\(digest)", false),
    ("https://storage.example/base/v2/a/blobs/\(digest)", false),
    ("https://storage.example/login?to=\(hex)", false),
    ("https://other.example/files/\(hex)", false),
    ("https://storage.example:8443/files/\(hex)", false),
    ("http://r/files/\(hex)", false), ("/files/\(hex)", false), ("//R/files/\(hex)", false),
    ("http://r/files/\(hex)?X-Amz-Signature=1", true),
  ])
  func `a redirect to a named storage proves the blob of its path`(
    _ location: String, _ isProof: Bool
  ) throws {
    let upstream = UpstreamRegistry(
      url: "http://r", namedHosts: try #require(FollowedHosts("storage.example, r")))
    let head = HTTPResponseHead(status: 307, fields: [HTTPField("Location", location)])
    #expect(((try? upstream.judge(head, Self.path)) != nil) == isProof)
  }

  @Test func `a redirect without a target proves nothing`() {
    for redirect in UpstreamRegistry.Redirect.allCases {
      check(Case(status: 307, redirect: redirect, refusal: .redirectElsewhere))
    }
  }

  @Test func `only what registries say of a blob is repeated`() throws {
    let head = HTTPResponseHead(
      status: 200,
      fields: ["Content-Type", "ETag", "Set-Cookie", "Connection", "Server"].map {
        HTTPField($0, "x")
      })
    let proof = try UpstreamRegistry(url: "http://r").judge(head, Self.path)
    #expect(proof.fields.map(\.name) == ["Content-Type", "ETag"])
  }
}
