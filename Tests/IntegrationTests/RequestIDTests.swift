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
    let site = try Site(
      ["BLOBLO_PROOF_TTL": "1m"], registry: registry.port, bucketName: bucket)
    return (site, registry)
  }

  private func identifiers(_ registry: FakeRegistry) -> [String] {
    registry.questions.filter { $0.target.contains(Self.blob.key) }.compactMap {
      $0["X-Request-Id"]
    }
  }

  @Test func `the client's own goes upstream, with the check and with the reading`() throws {
    let (site, registry) = try site()
    let answer = try site.ask(
      "GET", Self.blob.path(in: "id/own"), Site.credential + ["X-Request-Id: client-17"])
    #expect(answer.status == 200)
    #expect(identifiers(registry) == ["client-17", "client-17"])
    #expect(site.logSays("\"request.id\":\"client-17\"", "tee"))
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
    for identifier in ["first", "second"] {
      let answer = try site.ask(
        "GET", Self.blob.path(in: "id/shared"), Site.credential + ["X-Request-Id: \(identifier)"])
      #expect(answer.status == 307)
    }
    #expect(identifiers(registry) == ["first"])
    #expect(site.logSays("\"request.id\":\"second\"", "\"proof\":\"memory\""))
  }
}
