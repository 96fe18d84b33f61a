import Foundation
import HTTPTransport
import TestSupport
import Testing

/// `BLOBLO_PROOF_IDENTITY`, with a registry that decides by the client's address.
@Suite struct IdentityTests {
  private let blob = TestBlob(count: 2000)

  /// Only 192.0.2.1 and those with a credential that it knows may read.
  private func registry() -> FakeRegistry {
    let blob = blob
    return FakeRegistry { question in
      let address = question["X-Forwarded-For"]?.split(separator: " ").last
      let isKnown = address == "192.0.2.1" || question["Authorization"] == "Bearer fleet-of-all"
      guard isKnown else { return .init(401, ["WWW-Authenticate: Basic realm=\"x\""]) }
      guard question.target.contains("/blobs/") else { return .init(200, [], Array("{}".utf8)) }
      return .init(200, ["Content-Length: \(blob.bytes.count)"], question.isHead ? [] : blob.bytes)
    }
  }

  private func site(_ identity: String) throws -> (Site, FakeRegistry, WebServerConnection) {
    let registry = registry()
    let site = try Site(["BLOBLO_PROOF_IDENTITY": identity], registry: registry.port)
    try site.bucket.put(blob.key, blob.bytes)
    return (site, registry, try WebServerConnection(unix: site.stack.facts.socket))
  }

  private func params(_ address: String, _ more: [String: String] = [:]) -> [String: String] {
    [
      "SERVER_SOFTWARE": "nginx", "REMOTE_ADDR": address, "HTTP_USER_AGENT": "node-\(address)",
      "HTTP_HOST": "registry.example",
    ].merging(more) { $1 }
  }

  private func heads(_ registry: FakeRegistry) -> Int {
    registry.questions.count { $0.isHead && $0.target.contains(blob.key) }
  }

  @Test(arguments: ["request", "credential"])
  func `without a credential what one address may read is nobody else's`(identity: String) throws {
    let (site, registry, connection) = try site(identity)
    let path = blob.path(in: "by/address")
    let nobodys = [
      [:], ["HTTP_COOKIE": "tracking=1"], ["HTTP_AUTHORIZATION": ""],
      ["HTTP_AUTHORIZATION": "Basic "],
      ["HTTP_AUTHORIZATION": "Bearer"], ["HTTP_AUTHORIZATION": "Basic Og=="],
      ["HTTP_AUTHORIZATION": "Basic Og"], ["HTTP_AUTHORIZATION": "Basic Og= ="],
      ["HTTP_AUTHORIZATION": "basic  Oh== "],
      ["HTTP_AUTHORIZATION": "Bearer x", "BLOBLO_FIELD_AUTHORIZATION": ""],
      ["BLOBLO_FIELD_X_SITE": "fleet"],
    ]
    for who in nobodys {
      #expect(connection.ask("GET", path, params("192.0.2.1", who))?.status == 307, "\(who)")
      #expect(connection.ask("GET", path, params("192.0.2.2", who))?.status == 424, "\(who)")
      #expect(connection.ask("GET", path, params("192.0.2.1", who))?.status == 307, "\(who)")
      for target in ["/v2/", "/v2/token?service=x"] {
        _ = connection.ask("GET", target, params("192.0.2.1", who))
        #expect(connection.ask("GET", target, params("192.0.2.2", who))?.status == 424, "\(who)")
      }
    }
    #expect(heads(registry) > 0)
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `by credential a fleet asks once, by request each node for itself`() throws {
    for identity in ["request", "credential"] {
      let (site, registry, connection) = try site(identity)
      let path = blob.path(in: "by/credential")
      let fleet = ["HTTP_AUTHORIZATION": "Bearer fleet-of-all"]
      for node in 1...9 {
        #expect(connection.ask("GET", path, params("192.0.2.\(node)", fleet))?.status == 307)
        #expect(connection.ask("GET", "/v2/", params("192.0.2.\(node)", fleet))?.status == 200)
      }
      #expect(heads(registry) == (identity == "credential" ? 1 : 9))
      let pings = registry.questions.filter { $0.target == "/v2/" && $0["Authorization"] != nil }
      #expect(pings.count == (identity == "credential" ? 1 : 9))
      // Another credential, cookie, host, field of the site or repository is another question.
      let others = [
        ["HTTP_AUTHORIZATION": "Bearer another"], fleet.merging(["HTTP_COOKIE": "a=b"]) { $1 },
        fleet.merging(["HTTP_HOST": "other.example"]) { $1 },
        fleet.merging(["BLOBLO_FIELD_X_TENANT": "b"]) { $1 },
      ]
      for (number, other) in others.enumerated() {
        let asked = heads(registry)
        let status = connection.ask("GET", path, params("192.0.2.5", other))?.status
        #expect(status == (number == 0 ? 424 : 307), "\(number)")
        // The host goes upstream, and so makes a difference to `request`, only if it is preserved.
        let isAsked = identity == "credential" || other["HTTP_HOST"] == nil
        #expect(heads(registry) == asked + (isAsked ? 1 : 0), "\(number)")
      }
      #expect(site.secretsInLog.isEmpty)
    }
  }

  private func check(_ settings: [String: String], _ port: UInt16) throws -> (Int32, String) {
    let ground = try Ground.shared()
    let environment = [
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "",
      "BLOBLO_UPSTREAM_TIMEOUT": "60s", "BLOBLO_S3_TIMEOUT": "60s",
      "BLOBLO_S3_ENDPOINT_URL": ground.s3URL, "BLOBLO_S3_BUCKET_NAME": Stack.bucket,
      "BLOBLO_UPSTREAM_URL": "http://127.0.0.1:\(port)", "AWS_REGION": "us-east-1",
      "AWS_ACCESS_KEY_ID": Stack.accessKey, "AWS_SECRET_ACCESS_KEY": Stack.secretKey,
    ].merging(settings) { $1 }
    let result = try Program.run(
      [Stack.blobloPath, "check", "--blob", "by/address@\(blob.digest)"], environment: environment)
    return (result.status, String(decoding: result.output, as: UTF8.self))
  }

  @Test func `check finds a registry that decides by address`() throws {
    let registry = registry()
    for identity in ["request", "credential"] {
      let (_, text) = try check(["BLOBLO_PROOF_IDENTITY": identity], registry.port)
      #expect(text.contains("warn  upstream.address: "))
      #expect(text.contains("BLOBLO_PROOF_IDENTITY=request"))
      let known = ["BLOBLO_CHECK_AUTHORIZATION": "Bearer fleet-of-all"]
      let (_, same) = try check(
        known.merging(["BLOBLO_PROOF_IDENTITY": identity]) { $1 }, registry.port)
      #expect(!same.contains("warn  upstream.address"))
    }
  }

  @Test func `check does not take a login for a registry that redirects`() throws {
    let login = FakeRegistry { _ in .init(302, ["Location: http://login.example/?to=here"]) }
    let storage = FakeRegistry { question in
      question["Authorization"] == "Bearer fleet-of-all"
        ? .init(307, ["Location: http://storage.example/opaque"]) : .init(401)
    }
    let known = ["BLOBLO_CHECK_AUTHORIZATION": "Bearer fleet-of-all"]
    let anyway = known.merging(["BLOBLO_UPSTREAM_REDIRECT": "any"]) { $1 }
    let (_, loginText) = try check(known, login.port)
    #expect(loginText.contains("the registry redirects a wrong credential too"))
    #expect(!loginText.contains("FAIL  upstream.login"))
    let (status, anyText) = try check(anyway, login.port)
    #expect(status == 1)
    #expect(anyText.contains("FAIL  upstream.login: "))
    let (_, storageText) = try check(known, storage.port)
    #expect(storageText.contains("BLOBLO_UPSTREAM_REDIRECT=any, since a wrong credential is not"))
    let (_, goodText) = try check(anyway, storage.port)
    #expect(!goodText.contains("upstream.login"))
  }

  @Test(arguments: [nil, "never", "any"])
  func `check finds a login that only redirects who has no credential`(redirect: String?) throws {
    let login = FakeRegistry { question in
      question["Authorization"] == nil
        ? .init(302, ["Location: http://login.example/?to=here"]) : .init(401)
    }
    let (_, text) = try check(redirect.map { ["BLOBLO_UPSTREAM_REDIRECT": $0] } ?? [:], login.port)
    #expect(text.contains("FAIL  upstream.login") == (redirect == "any"))
    #expect(!text.contains("not redirected"))
  }

  /// Its target passes the rule of `digest`: it names the blob, and carries what looks like a signature.
  @Test func `check finds a login whose redirect looks like a storage's`() throws {
    let target = "http://login.example/\(blob.digest)?X-Amz-Signature=abc"
    for isOpen in [false, true] {
      let login = FakeRegistry { question in
        question.target == "/v2/" && !isOpen
          ? .init(401, ["WWW-Authenticate: Basic realm=\"x\""])
          : question.target == "/v2/" ? .init(200) : .init(307, ["Location: \(target)"])
      }
      let (status, text) = try check([:], login.port)
      #expect(text.contains("FAIL  upstream.login") == !isOpen, "\(text)")
      if !isOpen { #expect(status == 1) }
    }
    let onlyNobody = FakeRegistry { question in
      question.target == "/v2/" || question["Authorization"] != nil
        ? .init(401, ["WWW-Authenticate: Basic realm=\"x\""]) : .init(307, ["Location: \(target)"])
    }
    let (_, text) = try check([:], onlyNobody.port)
    #expect(text.contains("warn  upstream.login"), "\(text)")
  }

  @Test func `check finds a registry that trusts the machine that it runs on`() throws {
    let registry = FakeRegistry { question in
      question["X-Forwarded-For"] == nil ? .init(200, [], Array("{}".utf8)) : .init(401)
    }
    let (_, text) = try check(["BLOBLO_PROOF_IDENTITY": "credential"], registry.port)
    #expect(text.contains("warn  upstream.address: "), "\(text)")
  }
}
