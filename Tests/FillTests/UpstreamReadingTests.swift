import Glibc
import HTTPTransport
import Hashing
import Primitives
import Registry
import S3
import Synchronization
import TestSupport
import Testing

@testable import Fill

/// A reading over connections that fail, from a scripted registry into a bucket of one object.
@Suite struct UpstreamReadingTests {
  static let blob = String(repeating: "0123456789abcdef", count: 20_000)

  final class Outcome: FillObserver {
    let published = Mutex(0)
    let reasons = Mutex<[FillError]>([])
    func published(_ digest: Digest, size: Int64, after time: Duration) {
      published.withLock { $0 += 1 }
    }
    func found(_ digest: Digest, size: Int64) {}
    func failed(_ digest: Digest, _ error: FillError) { reasons.withLock { $0.append(error) } }
    func leftUpload(of digest: Digest, _ error: FillError) {}
  }

  /// A fill that clients read along with.
  final class Bench: Sendable {
    let filler: Filler
    let outcome = Outcome()
    let s3: FakeS3
    let registry: ScriptedServer

    init(
      spoolBytes: Int64 = 16 << 30, _ script: @escaping @Sendable (ReceivedRequest, Int) -> Reply
    ) throws {
      filler = Filler(.init(spoolFolder: "/tmp", spoolBytes: spoolBytes), observer: outcome)
      s3 = try FakeS3(size: nil, [])
      let count = Mutex(0)
      registry = ScriptedServer { request in
        script(
          request,
          count.withLock {
            $0 += 1
            return $0
          })
      }
    }

    func source(size: Int64?, host: String? = nil) throws -> FillSource {
      let digest = try #require(
        Digest("sha256:" + Hex.string(HashedBytes.sha256(Array(blob.utf8)).span)))
      return FillSource(
        request: HTTPRequest(
          .get, registry.url + "/v2/x/blobs/\(digest)",
          fields: [HTTPField("Authorization", "Bearer token")]
            + (host.map { [HTTPField("Host", $0)] } ?? [])),
        registry: registry.url, digest: digest, size: size, bucket: s3.client,
        key: try ObjectKey("\(digest)"), isReplacement: false)
    }

    /// What a client gets; `nil` when it is passed on.
    func read(size: Int64? = Int64(blob.utf8.count)) throws -> String? {
      guard case .follower(let follower) = filler.follow(try source(size: size)),
        let reader = follower.reader(within: patience)
      else { return nil }
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 20)
      while bytes.count < reader.size {
        switch reader.progress(beyond: Int64(bytes.count), within: patience) {
        case .available(let end):
          let count = unsafe pread(
            reader.descriptor, &buffer, Int(end) - bytes.count, off_t(bytes.count))
          bytes += buffer[..<count]
        case .waiting, .broken: return String(decoding: bytes, as: UTF8.self)
        }
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// The answer to a request for the blob from `offset` on, of which `count` bytes come.
  static func answer(
    _ request: ReceivedRequest?, _ fields: String = "ETag: \"a\"\r\n", count: Int = .max,
    _ end: Reply.End = .keep
  ) -> Reply {
    let offset = request.flatMap { range($0) } ?? 0
    let rest = String(decoding: blob.utf8.dropFirst(offset), as: UTF8.self)
    let head =
      offset == 0
      ? "HTTP/1.1 200 OK\r\n"
      : "HTTP/1.1 206 OK\r\nContent-Range: bytes \(offset)-\(blob.utf8.count - 1)/\(blob.utf8.count)\r\n"
    return Reply(
      head + fields + "Content-Length: \(rest.utf8.count)\r\n\r\n" + rest.prefix(count), end)
  }

  static func range(_ request: ReceivedRequest) -> Int? {
    request.lines.first { $0.lowercased().hasPrefix("range: bytes=") }
      .flatMap { Int($0.dropFirst(13).prefix { $0 != "-" }) }
  }

  @Test func `a body that is cut goes on by a range, with the credential and the validator`() throws
  {
    let bench = try Bench { request, number in
      number == 1 ? Self.answer(request, count: 100_000, .close) : Self.answer(request)
    }
    #expect(try bench.read() == Self.blob)
    #expect(bench.registry.requests.count == 2)
    let second = try #require(bench.registry.requests.last)
    #expect(second.lines.contains("Range: bytes=100000-"))
    #expect(second.lines.contains("If-Range: \"a\""))
    #expect(second.lines.contains("Authorization: Bearer token"))
    #expect(eventually { bench.s3.size == Self.blob.utf8.count })
  }

  @Test func `one that stalls goes on over a new connection`() throws {
    let bench = try Bench { request, number in
      number == 1 ? Self.answer(request, count: 100_000, .stall) : Self.answer(request)
    }
    #expect(try bench.read() == Self.blob)
    #expect(bench.registry.accepts >= 2)
  }

  @Test(arguments: ["ETag: W/\"a\"\r\n", ""])
  func `without a strong validator there is none`(_ fields: String) throws {
    let bench = try Bench { request, number in
      number == 1 ? Self.answer(request, fields, count: 50, .close) : Self.answer(request, fields)
    }
    #expect(try bench.read() == Self.blob)
    #expect(bench.registry.requests.last?.has("If-Range") == false)
  }

  @Test func `a registry that knows no ranges gives the whole once more`() throws {
    let bench = try Bench { request, number in
      number == 1 ? Self.answer(request, count: 70_000, .close) : Self.answer(nil)
    }
    #expect(try bench.read() == Self.blob)
    #expect(eventually { bench.s3.size == Self.blob.utf8.count })
  }

  @Test(arguments: [
    "HTTP/1.1 206 OK\r\nContent-Range: bytes 7-319999/320000\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 206 OK\r\nContent-Range: bytes 100000-319999/320001\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 206 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
  ])
  func `an answer that is not the rest is not taken for it, and there are three tries`(
    _ answer: String
  ) throws {
    let bench = try Bench { request, number in
      number == 1 ? Self.answer(request, count: 100_000, .close) : Reply(answer, .close)
    }
    #expect(try bench.read() == String(Self.blob.prefix(100_000)))
    #expect(bench.registry.requests.count == 4)
    #expect(bench.s3.size == nil)
  }

  @Test func `a 401 ends it`() throws {
    let bench = try Bench { request, number in
      number == 1
        ? Self.answer(request, count: 100_000, .close)
        : Reply("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
    }
    #expect(try bench.read() == String(Self.blob.prefix(100_000)))
    #expect(bench.registry.requests.count == 2)
    #expect(eventually { bench.outcome.reasons.withLock { $0 } == [.upstream("answers 401")] })
  }

  @Test func `other bytes in the rest are not published`() throws {
    let bench = try Bench { request, number in
      guard number > 1 else { return Self.answer(request, count: 100_000, .close) }
      return Reply(
        "HTTP/1.1 206 OK\r\nContent-Range: bytes 100000-319999/320000\r\n"
          + "Content-Length: 220000\r\n\r\n" + String(repeating: "x", count: 220_000))
    }
    #expect(try bench.read()?.utf8.count == Self.blob.utf8.count)
    #expect(
      eventually {
        bench.outcome.reasons.withLock { if case .wrongDigest? = $0.first { true } else { false } }
      })
    #expect(bench.s3.size == nil)
  }

  @Test(arguments: [Int64(320_000), nil])
  func `a size that the registry states in its answer is enough`(_ size: Int64?) throws {
    let bench = try Bench { request, _ in Self.answer(request) }
    #expect(try bench.read(size: size) == Self.blob)
    #expect(eventually { bench.s3.size == Self.blob.utf8.count })
  }

  @Test func `a body without a length is read to the size that is known`() throws {
    let bench = try Bench { _, _ in
      Reply(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(String(Self.blob.utf8.count, radix: 16))\r\n"
          + Self.blob + "\r\n0\r\n\r\n")
    }
    #expect(try bench.read() == Self.blob)
    #expect(eventually { bench.s3.size == Self.blob.utf8.count })
  }

  @Test func `a digest of another algorithm is no contradiction`() throws {
    let bench = try Bench { request, _ in
      Self.answer(
        request, "Docker-Content-Digest: sha512:\(String(repeating: "0", count: 128))\r\n")
    }
    #expect(try bench.read() == Self.blob)
  }

  @Test func `who comes to a fill that stands still is passed on`() throws {
    // After 5 s bloblo asks for the rest.
    let bench = try Bench { request, number in
      number == 1 ? Self.answer(request, count: 100_000, .stall) : Reply("", .stall)
    }
    let start = ContinuousClock.now
    let first = bench.filler.follow(try bench.source(size: 320_000), at: start)
    #expect(eventually { bench.filler.progress.first?.written == 100_000 })
    let source = try bench.source(size: 320_000)
    guard case .follower = bench.filler.follow(source, at: start + .seconds(3)) else {
      Issue.record("want a reader at first")
      return
    }
    guard case .standsStill = bench.filler.follow(source, at: .now + .seconds(5)) else {
      Issue.record("want to be passed on after 4 s")
      return
    }
    extendLifetime(first)
  }

  /// A whole answer in chunks, without a length.
  private static func chunked(_ pieces: [Substring], isWhole: Bool = true) -> Reply {
    let chunks = pieces.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }
    return Reply(
      pieces: ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] + chunks
        + (isWhole ? ["0\r\n\r\n"] : []), isWhole ? .keep : .close)
  }

  @Test func `a blob whose size nobody states is filled by its digest, and nobody reads along`()
    throws
  {
    let bench = try Bench { _, _ in
      Self.chunked([
        Self.blob.prefix(1), Self.blob.dropFirst(1).prefix(99_999), Self.blob.dropFirst(100_000),
      ])
    }
    guard case .follower(let follower) = bench.filler.follow(try bench.source(size: nil)) else {
      Issue.record("no follower")
      return
    }
    #expect(follower.reader(within: .seconds(10)) == nil)
    #expect(eventually { bench.s3.size == Self.blob.utf8.count })
    #expect(eventually { bench.outcome.published.withLock { $0 } == 1 })
    #expect(bench.registry.requests.count == 1)
  }

  @Test(arguments: [
    Self.chunked([Self.blob.prefix(100_000)]),
    Self.chunked([Self.blob.prefix(100_000)], isWhole: false),
    Self.chunked([Self.blob[...], "more"]), Self.chunked([]),
    Reply("HTTP/1.1 200 OK\r\n\r\n" + Self.blob.prefix(100_000), .close),
  ])
  func `what is not the blob is not published, whatever its length`(_ reply: Reply) throws {
    let bench = try Bench { _, _ in reply }
    _ = bench.filler.follow(try bench.source(size: nil))
    #expect(eventually { bench.outcome.reasons.withLock { $0.count } == 1 })
    #expect(bench.s3.size == nil && bench.registry.requests.count == 1)
    #expect(eventually { bench.filler.spoolBytes.used == 0 })
  }

  @Test func `a body that ends with its connection is as good, if the digest is right`() throws {
    let bench = try Bench { _, _ in Reply("HTTP/1.1 200 OK\r\n\r\n" + Self.blob, .close) }
    _ = bench.filler.follow(try bench.source(size: nil))
    #expect(eventually { bench.s3.size == Self.blob.utf8.count })
  }

  @Test func `what has no room below the spool's limit is given up`() throws {
    let bench = try Bench(spoolBytes: 100_000) { _, _ in Self.chunked([Self.blob[...]]) }
    _ = bench.filler.follow(try bench.source(size: nil))
    #expect(eventually { bench.outcome.reasons.withLock { $0.count } == 1 })
    guard case .noRoom? = bench.outcome.reasons.withLock({ $0.first }) else {
      Issue.record("\(bench.outcome.reasons.withLock { $0 })")
      return
    }
    #expect(bench.s3.size == nil)
  }

  @Test func `who asks another registry, or by another Host, does not read along`() throws {
    let bench = try Bench { request, _ in Self.answer(request, count: 100_000, .stall) }
    let first = bench.filler.follow(try bench.source(size: 320_000, host: "a.example"))
    let second = bench.filler.follow(try bench.source(size: 320_000, host: "b.example"))
    let third = bench.filler.follow(try bench.source(size: 320_000, host: "a.example"))
    // Those that go on with a reading that stalls ask for a range.
    func readings() -> Int { bench.registry.requests.count { !$0.has("Range") } }
    #expect(eventually { readings() == 2 })
    usleep(200_000)
    #expect(readings() == 2)
    extendLifetime((first, second, third))
  }
}
