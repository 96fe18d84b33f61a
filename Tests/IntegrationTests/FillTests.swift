import Hashing
import TestSupport
import Testing

@Suite struct FillTests {
  static let mebibyte = 1 << 20

  @Test(arguments: [
    (0, DigestAlgorithm.sha256), (1, .sha256), (5 * mebibyte, .sha256), (5 * mebibyte + 1, .sha256),
    (17 * mebibyte, .sha256), (40_000, .sha512), (11 * mebibyte, .sha512),
  ])
  func `a blob of any size comes whole into the bucket`(_ count: Int, _ algorithm: DigestAlgorithm)
    throws
  {
    let blob = TestBlob(count: count, algorithm)
    // The registry of this Debian takes a sha512 and answers with the blob's sha256 (the test below): a
    // fake one keeps to what it was asked for.
    let fake = FakeRegistry { question in
      guard question.target.hasSuffix(blob.key) else { return .init(404) }
      return .init(200, ["Content-Type: application/octet-stream"], blob.bytes)
    }
    let site = try Site(
      ["BLOBLO_FILL_PART_SIZE": "5MiB"], registry: algorithm == .sha512 ? fake.port : nil)
    if algorithm == .sha256 { try site.ground.push(blob, to: "fill/sizes") }
    let cold = try site.ask("GET", blob.path(in: "fill/sizes"))
    #expect(cold.status == 200)
    #expect(cold.body == blob.bytes)
    #expect(try site.isFilled(blob))
    #expect(try site.bucket.read(blob.key) == blob.bytes)
    let warm = try site.pull(blob.path(in: "fill/sizes"))
    #expect(warm.first.status == 307)
    #expect(warm.last.body == blob.bytes)
    #expect(try !site.bucket.openUploads().contains(blob.key))
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `a blob that the registry calls by a digest of another algorithm is filled`() throws {
    let site = try Site()
    let blob = TestBlob(count: 40_000, .sha512)
    // The registry of this Debian takes a sha512, and answers with the blob's sha256.
    try site.ground.push(blob, to: "fill/sha512")
    let cold = try site.ask("GET", blob.path(in: "fill/sha512"))
    #expect(cold.status == 200)
    #expect(cold.body == blob.bytes)
    #expect(try site.isFilled(blob))
    let warm = try site.pull(blob.path(in: "fill/sha512"))
    #expect(warm.first.status == 307)
    #expect(warm.last.body == blob.bytes)
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `an answer that is cut again and again goes on, and breaks no reader`() throws {
    let relay = FaultyRelay(to: try Ground.shared().registryPort)
    let site = try Site(["BLOBLO_FILL_PART_SIZE": "5MiB"], upstream: relay.port)
    let blob = TestBlob(count: 11 * Self.mebibyte)
    try site.ground.push(blob, to: "fill/cut")
    relay.fault = .cutAnswer(after: 4 * Self.mebibyte)
    let whole = try site.ask("GET", blob.path(in: "fill/cut")).body.elementsEqual(blob.bytes)
    #expect(whole)
    #expect(try site.isFilled(blob))
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `a proof that is none leads to the registry's own answer`() throws {
    let blob = TestBlob(count: 1000)
    let replies: [(String, FakeRegistry.Reply)] = [
      (
        "a login page", .init(200, ["Content-Type: text/html; charset=utf-8"], Array("<html>".utf8))
      ),
      (
        "another digest",
        .init(200, ["Docker-Content-Digest: \(TestBlob(count: 3).digest)"], blob.bytes)
      ),
      ("a login", .init(302, ["Location: https://login.example/?back=/v2/x/blobs/\(blob.digest)"])),
      (
        "its own other spelling",
        .init(301, ["Location: https://r.example/v2/x/blobs/\(blob.digest)"])
      ),
      ("429", .init(429, ["Retry-After: 3"], Array("slower".utf8))),
    ]
    for (name, reply) in replies {
      let fake = FakeRegistry { _ in reply }
      let site = try Site(registry: fake.port)
      // That the bucket has it must not matter.
      try site.bucket.put(blob.key, blob.bytes)
      let answer = try site.ask("GET", blob.path(in: "fill/proof"))
      #expect(answer.status == reply.status, "\(name)")
      #expect(answer.body == reply.body, "\(name)")
      #expect(answer["location"]?.contains("X-Amz") != true, "\(name)")
      #expect(site.secretsInLog.isEmpty)
    }
  }
}
