import TestSupport
import Testing

/// What a request is called goes upstream, and is nothing that upstream judges by.
@Suite struct RequestIDTests {
  private static let blob = TestBlob(count: 1000)

  /// A registry that has the blob.
  private func site(bucket: String? = nil) throws -> (Site, FakeRegistry) {
    let size = Self.blob.bytes.count
    let registry = FakeRegistry { question in
      .init(200, ["Content-Length: \(size)"], question.isHead ? [] : Self.blob.bytes)
    }
    let site = try Site(registry: registry.port, bucketName: bucket)
    return (site, registry)
  }

  private func identifiers(_ registry: FakeRegistry) -> [String] {
    registry.questions.filter { $0.target.contains(Self.blob.key) }.compactMap {
      $0["X-Request-Id"]
    }
  }

  @Test func `the web server's goes upstream, with the check and with the reading`() throws {
    let (site, registry) = try site()
    let answer = try site.ask(
      "GET", Self.blob.path(in: "id/own"), Site.credential + ["X-Request-Id: client-17"])
    #expect(answer.status == 200)
    let made = identifiers(registry)
    #expect(made.count == 2)
    #expect(made.allSatisfy { $0 == made[0] && $0 != "client-17" })
    #expect(site.logSays("\"request.id\":\"\(made.first ?? "-")\"", "tee"))
  }

  @Test func `one is made where there is none`() throws {
    let (site, registry) = try site()
    _ = try site.ask("HEAD", Self.blob.path(in: "id/made"), Site.credential)
    let made = identifiers(registry)
    #expect(made.count == 1)
    #expect(made.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
    #expect(site.logSays("\"request.id\":\"\(made.first ?? "-")\""))
  }

  @Test func `two identifiers share one proof`() throws {
    let (site, registry) = try site(bucket: "request-ids")
    try site.bucket.put(Self.blob.key, Self.blob.bytes)
    for _ in 0..<2 {
      let answer = try site.ask("GET", Self.blob.path(in: "id/shared"), Site.credential)
      #expect(answer.status == 307)
    }
    #expect(identifiers(registry).count == 1)
    #expect(site.logSays("\"decision\":\"redirect\"", "\"proof\":\"memory\""))
  }
}
