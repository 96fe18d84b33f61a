import TestSupport
import Testing

@Suite struct PullTests {
  @Test func `a blob is read once from the registry, then from S3`() throws {
    let site = try Site()
    let blob = TestBlob(count: 100_000)
    try site.ground.push(blob, to: "pulls/once")
    let path = blob.path(in: "pulls/once")

    let cold = try site.ask("GET", path)
    #expect(cold.status == 200)
    #expect(cold.body == blob.bytes)
    #expect(try site.isFilled(blob))
    #expect(try site.bucket.read(blob.key) == blob.bytes)

    let warm = try site.pull(path)
    #expect(warm.first.status == 307)
    #expect(warm.first["docker-content-digest"] == blob.key)
    #expect(warm.last.status == 200)
    #expect(warm.last.body == blob.bytes)
    #expect(
      try site.ground.registryRequests(for: blob).filter { $0.hasPrefix("GET") } == ["GET 200"])
    #expect(site.secretsInLog.isEmpty)
  }
}
