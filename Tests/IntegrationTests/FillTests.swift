import Foundation
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

  @Test func `a client that goes away does not end the fill`() throws {
    let relay = FaultyRelay(to: try Ground.shared().registryPort)
    let site = try Site(["BLOBLO_FILL_PART_SIZE": "5MiB"], upstream: relay.port)
    let blob = TestBlob(count: 12 * Self.mebibyte)
    try site.ground.push(blob, to: "fill/gone")
    relay.fault = .stallAnswer(after: 6 * Self.mebibyte)
    let file = "\(site.stack.facts.directory)/partial"
    let client = try Program([
      "curl", "--disable", "-sS", "-o", file, "-H", Site.credential[0],
      site.url + blob.path(in: "fill/gone"),
    ])
    func partial() throws -> [UInt8] { try Array(Data(contentsOf: URL(filePath: file))) }
    #expect(eventually { ((try? partial().count) ?? 0) > 5 * Self.mebibyte })
    client.signal(9)
    #expect(client.wait() == -9)
    #expect(try partial().count < blob.bytes.count)
    #expect(try blob.bytes.starts(with: partial()))
    #expect(try site.bucket.size(blob.key) == nil)
    relay.fault = .none
    #expect(try site.isFilled(blob))
    #expect(try site.bucket.read(blob.key) == blob.bytes)
    #expect(
      try eventually {
        try site.ground.registryRequests(for: blob).filter { $0 == "GET 200" }.count == 1
      }, "the registry was read once")
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `a slow client does not slow the fill`() throws {
    let site = try Site()
    let blob = TestBlob(count: 6 * Self.mebibyte)
    try site.ground.push(blob, to: "fill/slow")
    let slow = try Program([
      "curl", "--disable", "-sS", "--limit-rate", "5k", "-o", "/dev/null", "-H",
      Site.credential[0], site.url + blob.path(in: "fill/slow"),
    ])
    #expect(try site.isFilled(blob))
    #expect(slow.wait(for: .zero) == nil, "the client is still reading")
    slow.signal(15)
    _ = slow.wait()
    #expect(site.secretsInLog.isEmpty)
  }

  @Test(arguments: [
    FaultyRelay.Fault.cutRequest(after: 2 * mebibyte), .reset, .stall,
    .answerTo("PUT", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
  ])
  func `S3 that fails in the middle is not the client's concern, and leaves nothing`(
    _ fault: FaultyRelay.Fault
  ) throws {
    let upstream = FaultyRelay(to: try Ground.shared().registryPort)
    let s3 = FaultyRelay(to: try Ground.shared().s3Port)
    let site = try Site(
      ["BLOBLO_FILL_PART_SIZE": "5MiB", "BLOBLO_S3_TIMEOUT": "1s"], upstream: upstream.port,
      s3: s3.port)
    let blob = TestBlob(count: 17 * Self.mebibyte)
    try site.ground.push(blob, to: "fill/s3")
    upstream.fault = .stallAnswer(after: 6 * Self.mebibyte)
    let client = try Program([
      "curl", "--disable", "-sS", "--max-time", "300", "-H", Site.credential[0],
      site.url + blob.path(in: "fill/s3"),
    ])
    #expect(eventually { s3.requests.contains { $0.hasPrefix("POST") && $0.contains("uploads=") } })
    s3.fault = fault
    upstream.fault = .none
    #expect(client.readAll() == blob.bytes)
    #expect(client.wait() == 0)
    if fault == .reset || fault == .stall {
      // So long that all tries fail; then the server is back, for whoever clears up.
      if fault == .reset {
        #expect(site.logSays("not filled", blob.key), "\(site.log)")
      }
      s3.fault = .none
      if fault == .stall {
        #expect(
          try site.isFilled(blob), "a server that comes back in time is forgiven; \(site.log)")
        return
      }
    } else {
      #expect(site.logSays("not filled", blob.key))
    }
    #expect(try site.bucket.size(blob.key) == nil)
    if fault == .reset {
      // Nobody could abort it while S3 was away: it is said.
      #expect(
        try eventually {
          try !site.bucket.openUploads().contains(blob.key)
            || site.log.contains("multipart upload left in the bucket")
        })
    } else {
      #expect(try eventually { try !site.bucket.openUploads().contains(blob.key) })
    }
    #expect(site.secretsInLog.isEmpty)
  }

  struct Lie: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What the GET is answered with; HEAD is honest.
    let reply: @Sendable (TestBlob) -> FakeRegistry.Reply
    /// Whether bloblo sees it in the head, and the client gets what the registry would have given.
    var isInHead = true
  }

  static let type = "Content-Type: application/octet-stream"

  static let lies = [
    Lie(
      testDescription: "short",
      reply: {
        .init(200, [type, "Content-Length: \($0.bytes.count)"], Array($0.bytes.dropLast(7)))
      }, isInHead: false),
    Lie(
      testDescription: "wrong bytes",
      reply: { .init(200, [type], $0.bytes.dropLast() + [$0.bytes.last! ^ 1]) }, isInHead: false),
    Lie(testDescription: "long", reply: { .init(200, [type], $0.bytes + [1]) }),
    Lie(
      testDescription: "shorter by its head",
      reply: { .init(200, [type], Array($0.bytes.dropLast())) }),
    Lie(
      testDescription: "a page",
      reply: {
        .init(200, ["Content-Type: text/html", "Content-Length: \($0.bytes.count)"], $0.bytes)
      }),
    Lie(
      testDescription: "206",
      reply: {
        .init(
          206, [type, "Content-Range: bytes 0-\($0.bytes.count - 1)/\($0.bytes.count)"], $0.bytes)
      }),
    Lie(
      testDescription: "encoded", reply: { .init(200, [type, "Content-Encoding: gzip"], $0.bytes) }),
    Lie(
      testDescription: "another digest",
      reply: {
        .init(200, [type, "Docker-Content-Digest: \(TestBlob(count: 9).digest)"], $0.bytes)
      }),
    Lie(testDescription: "500", reply: { _ in .init(500, [type], Array("oops".utf8)) }),
    Lie(
      testDescription: "a redirect", reply: { _ in .init(307, ["Location: http://login.example/"]) }
    ),
  ]

  @Test(arguments: lies, [1, 2])
  func `what is not the whole blob is not published`(_ lie: Lie, _ parts: Int) throws {
    let blob = TestBlob(count: parts == 1 ? 40_000 : 6 * Self.mebibyte)
    let fake = FakeRegistry { question in
      question.isHead ? .init(200, [Self.type], blob.bytes) : lie.reply(blob)
    }
    let site = try Site(["BLOBLO_FILL_PART_SIZE": "5MiB"], registry: fake.port)
    let path = blob.path(in: "fill/lies")
    let answer = try site.ask("GET", path)
    let direct = try Curl.ask("GET", "http://\(fake.address)\(path)")
    #expect(answer.status == direct.status)
    #expect(answer.body == direct.body)
    #expect(answer.isWhole == direct.isWhole)
    for name in ["content-type", "content-length", "content-encoding", "content-range", "location"]
    {
      #expect(answer[name] == direct[name], "\(name)")
    }
    #expect(site.logSays("not filled", blob.key))
    #expect(try site.bucket.size(blob.key) == nil)
    #expect(try eventually { try !site.bucket.openUploads().contains(blob.key) })
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `an answer that is corrupted on its way publishes nothing, and the next pull does`()
    throws
  {
    let relay = FaultyRelay(to: try Ground.shared().registryPort)
    let site = try Site(["BLOBLO_FILL_PART_SIZE": "5MiB"], upstream: relay.port)
    let blob = TestBlob(count: 11 * Self.mebibyte)
    try site.ground.push(blob, to: "fill/broken")
    relay.fault = .corruptAnswer(at: 5 * Self.mebibyte)
    let broken = try site.ask("GET", blob.path(in: "fill/broken"))
    // The digest tells the client.
    #expect(!broken.body.elementsEqual(blob.bytes))
    #expect(site.logSays("not filled", blob.key))
    #expect(try site.bucket.size(blob.key) == nil)
    #expect(try eventually { try !site.bucket.openUploads().contains(blob.key) })
    relay.fault = .none
    let right = try site.ask("GET", blob.path(in: "fill/broken")).body.elementsEqual(blob.bytes)
    #expect(right)
    #expect(try site.isFilled(blob))
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
        .init(200, [Self.type, "Docker-Content-Digest: \(TestBlob(count: 3).digest)"], blob.bytes)
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

  @Test func `an object of unknown size is not given for a blob`() throws {
    let blob = TestBlob(count: 1000)
    let fake = FakeRegistry { _ in
      .init(
        307,
        [
          "Location: https://store.example/docker/registry/v2/blobs/sha256/\(blob.key.dropFirst(7))/data?sig=x"
        ])
    }
    let site = try Site(["BLOBLO_PRESENCE_TTL": "0s"], registry: fake.port)
    let path = blob.path(in: "fill/storage")
    #expect(try site.ask("GET", path)["location"]?.hasPrefix("https://store.example/") == true)
    // Nobody is followed to learn its size, and anything could stand there.
    try site.bucket.put(blob.key, Array("7 bytes".utf8))
    #expect(try site.ask("GET", path)["location"]?.hasPrefix("https://store.example/") == true)
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `an object that another put under the bare digest is used`() throws {
    let site = try Site()
    let blob = TestBlob(count: 4000)
    try site.ground.push(blob, to: "fill/original")
    try site.bucket.put(blob.key, blob.bytes)
    let pull = try site.pull(blob.path(in: "fill/original"))
    #expect(pull.first.status == 307)
    #expect(pull.last.body == blob.bytes)
    #expect(try site.ground.registryRequests(for: blob).allSatisfy { !$0.hasPrefix("GET") })
    #expect(site.secretsInLog.isEmpty)
  }

  @Test(arguments: [3000, 6 << 20])
  func `an object of the wrong size is not used, is told loudly, and is replaced`(_ count: Int)
    throws
  {
    let site = try Site(["BLOBLO_FILL_PART_SIZE": "5MiB"])
    let blob = TestBlob(count: count)
    try site.ground.push(blob, to: "fill/wrong")
    try site.bucket.put(blob.key, Array("something else".utf8))
    let answer = try site.ask("GET", blob.path(in: "fill/wrong"))
    #expect(answer.status == 200)
    #expect(answer.body == blob.bytes)
    #expect(site.logSays("\"level\":\"error\"", "wrong size", blob.key))
    #expect(try site.isFilled(blob))
    #expect(try site.bucket.read(blob.key) == blob.bytes)
    #expect(try site.ask("GET", blob.path(in: "fill/wrong")).status == 307)
    #expect(site.secretsInLog.isEmpty)
  }
}
