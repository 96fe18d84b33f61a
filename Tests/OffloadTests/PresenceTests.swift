import HTTPTransport
import Primitives
import Registry
import Synchronization
import Testing

@testable import Offload

private let start = DecisionCacheTests.start
private func later(_ seconds: Int64) -> Moment { DecisionCacheTests.later(seconds) }

/// What is remembered of an object ends with the look that found it.
struct PresenceTests {
  private let cache = DecisionCache(DecisionCache.Lifetimes(presence: .seconds(300)))
  private let blob = StoredBlob(size: 7)

  @Test func `an object is not remembered beyond its own expiration`() {
    let blob = StoredBlob(size: 7, expiration: start.unix + 10)
    cache.keep(.present(blob, nil), of: .a, lookedAt: start)
    #expect(cache.object(.a, at: later(9)) != nil)
    #expect(cache.object(.a, at: later(10)) == nil)
  }

  @Test func `absence is remembered for two seconds`() {
    cache.keep(.absent, of: .a, lookedAt: start)
    #expect(cache.object(.a, at: later(1)) != nil)
    #expect(cache.object(.a, at: later(2)) == nil)
  }

  @Test func `a new URL does not lengthen what is remembered of the object`() {
    cache.keep(.present(blob, nil), of: .a, lookedAt: start)
    for second in stride(from: Int64(60), to: 300, by: 60) {
      let url = SignedURL(bytes: [], reusableUntil: later(second + 60).steady)
      cache.keep(url, of: .a, at: later(second))
    }
    #expect(cache.object(.a, at: later(299)) != nil)
    #expect(cache.object(.a, at: later(300)) == nil)
  }

  @Test func `an object that clients were sent to is looked at again, and no other`() {
    cache.keep(.present(blob, nil), of: .a, lookedAt: start)
    cache.keep(.present(blob, nil), of: .b, lookedAt: start)
    for _ in 0..<10 { _ = cache.object(.a, at: later(1), isForDelivery: true) }
    _ = cache.object(.b, at: later(1))
    #expect(cache.nextLook(at: later(4)) == nil)
    #expect(cache.nextLook(at: later(5)) == .a)
    #expect(cache.nextLook(at: later(6)) == nil)
    cache.keep(.present(blob, nil), of: .a, lookedAt: later(6))
    #expect(cache.nextLook(at: later(299)) == nil, "nobody was sent there since")
  }

  @Test func `one that was looked at long ago is due at once`() {
    cache.keep(.present(blob, nil), of: .a, lookedAt: start)
    _ = cache.object(.a, at: later(200), isForDelivery: true)
    #expect(cache.nextLook(at: later(200)) == .a)
  }

  @Test func `the oldest look is renewed first`() {
    cache.keep(.present(blob, nil), of: .b, lookedAt: start)
    cache.keep(.present(blob, nil), of: .a, lookedAt: later(1))
    _ = cache.object(.a, at: later(2), isForDelivery: true)
    _ = cache.object(.b, at: later(3), isForDelivery: true)
    #expect(cache.nextLook(at: later(20)) == .b)
    #expect(cache.nextLook(at: later(20)) == .a)
  }

  @Test func `a look in the background is none for a client that came back`() {
    cache.keep(.present(blob, nil), of: .a, lookedAt: start)
    #expect((cache.objectUnused(.a, at: start)?.returnLookedAt ?? 0) < 0)
    cache.keep(.present(blob, nil), of: .a, lookedAt: later(1), isForReturn: true)
    cache.keep(.present(blob, nil), of: .a, lookedAt: later(2))
    #expect(cache.objectUnused(.a, at: later(2))?.returnLookedAt == later(1).steady)
    #expect(cache.objectUnused(.a, at: later(2))?.lookedAt == later(2).steady)
  }

  @Test func `so many looks a second, and no crowd after a pause`() {
    var pace = Pace(perSecond: 20, at: 0)
    var turns = 0
    for now in 0..<10_000 where pace.take(at: Int64(now)) { turns += 1 }
    #expect((199...201).contains(turns))
    let afterPause = [pace.take(at: 60_000), pace.take(at: 60_001)]
    #expect(afterPause == [true, false])
  }
}

/// The table behind it.
struct DeliveriesTests {
  private func request(_ client: UInt64, bytes: UInt64 = 0) -> BlobRequest {
    BlobRequest(.get, .sample(fingerprint: 1), client: client, bytes: bytes)
  }

  @Test func `a delivery is known for half a minute, also when the clock's 32 bits are full`() {
    for begin: Int64 in [1000, Int64(UInt32.max) - 10_000, Int64(UInt32.max) * 5 + 7] {
      let deliveries = Deliveries(limit: 1 << 10)
      func at(_ milliseconds: Int64) -> Moment {
        Moment(unix: start.unix, steady: begin + milliseconds)
      }
      deliveries.note(request(7), at: at(0))
      #expect(deliveries.isRepeat(request(7), at: at(29_999)))
      #expect(!deliveries.isRepeat(request(7), at: at(30_000)))
      #expect(!deliveries.isRepeat(request(8), at: at(1)))
      #expect(!deliveries.isRepeat(request(7, bytes: 1), at: at(1)))
    }
  }

  @Test func `a full row forgets its oldest, and counts it`() {
    let deliveries = Deliveries(limit: 4)
    for client: UInt64 in 1...5 {
      deliveries.note(request(client), at: later(Int64(client)))
    }
    let known = (1...5).map { deliveries.isRepeat(request($0), at: later(6)) }
    #expect(known == [false, true, true, true, true])
    #expect(deliveries.counts == CacheCounts(entries: 4, evictions: 1))
  }

  @Test func `half of what a table holds is nearly all known`() {
    let deliveries = Deliveries(limit: 1 << 12)
    for client: UInt64 in 0..<2048 { deliveries.note(request(client), at: start) }
    let known = (0..<2048).count { deliveries.isRepeat(request($0), at: start) }
    #expect(known > 1900)
  }
}

/// A client that comes back for the same bytes may not have got them.
struct RepeatTests {
  private let servers = Counting()
  private let engine: OffloadEngine

  init() {
    engine = OffloadEngine(
      upstream: servers, store: servers,
      cache: DecisionCache(DecisionCache.Lifetimes(proof: .seconds(3600), presence: .seconds(3600)))
    )
  }

  private var finds: Int { servers.state.withLock { $0.finds } }

  /// Something is heard of S3 meanwhile: silence is another rule.
  private func get(_ client: UInt64, bytes: UInt64 = 0, fingerprint: UInt8 = 1, at now: Moment)
    -> String
  {
    engine.hear(at: now)
    let request = BlobRequest(
      .get, .sample(fingerprint: fingerprint), range: bytes == 0 ? .whole : .single, client: client,
      bytes: bytes)
    return engine.decide(request, at: now).leaf
  }

  @Test func `it waits for a look younger than a second`() {
    #expect(get(1, at: start) == "redirect")
    servers.state.withLock { $0.stored = nil }
    #expect(get(1, at: start) == "redirect", "the look is younger")
    #expect(get(1, at: later(1)) == "fill 10 nil")
  }

  @Test func `also with another credential, as clients that fetch a token for each try`() {
    #expect(get(1, fingerprint: 1, at: start) == "redirect")
    servers.state.withLock { $0.stored = nil }
    #expect(get(1, fingerprint: 2, at: later(2)) == "fill 10 nil")
  }

  @Test func `another client, other bytes, and a client of half a minute ago wait for nothing`() {
    #expect(get(1, at: start) == "redirect")
    #expect(get(2, at: later(2)) == "redirect")
    #expect(get(1, bytes: 5, at: later(3)) == "redirect")
    #expect(get(1, at: later(30)) == "redirect")
    #expect(finds == 1)
  }

  @Test func `a client that comes all the time costs a look a second`() {
    for tenth in 0..<100 {
      let now = Moment(
        unix: start.unix + Int64(tenth / 10), steady: start.steady + Int64(tenth) * 100)
      #expect(get(1, at: now) == "redirect")
    }
    #expect((10...12).contains(finds), "one each second, and two that came early")
  }

  @Test func `one that comes back at once waits for a look that began after its redirect`() {
    func at(_ milliseconds: Int64) -> Moment {
      Moment(unix: start.unix, steady: start.steady + milliseconds)
    }
    #expect(get(1, at: at(0)) == "redirect")
    #expect(get(2, at: at(300)) == "redirect")
    servers.state.withLock { $0.stored = nil }
    #expect(get(3, at: at(400)) == "redirect", "it has not been here")
    #expect(finds == 1)
    #expect(get(2, at: at(600)) == "fill 10 nil")
  }

  @Test func `a URL is not given out with another correction of the calendar`() {
    #expect(get(1, at: start) == "redirect")
    servers.state.withLock { $0.correction = 3600 }
    #expect(get(2, at: later(1)) == "redirect")
    #expect(servers.state.withLock { $0.signatures } == 2)
  }

  @Test func `a URL is not given out once another key signs, nor after a look`() {
    #expect(get(1, at: start) == "redirect")
    servers.state.withLock { $0.generation = 2 }
    var http = HTTPClient()
    _ = engine.look(
      at: BlobRequest(.get, .sample(fingerprint: 1)).query.blob, by: &http, at: later(1))
    #expect(get(2, at: later(1)) == "redirect")
    #expect(get(3, at: later(1)) == "redirect")
    #expect(servers.state.withLock { $0.signatures } == 2)
  }

  @Test func `a calendar that is set back does not lengthen a URL's life`() {
    #expect(get(1, at: start) == "redirect")
    let back = Moment(unix: start.unix + -3600, steady: start.steady + 61_000)
    #expect(get(2, at: back) == "redirect")
    #expect(servers.state.withLock { $0.signatures } == 2)
  }
}

/// A bucket of which nothing is heard may be down, and a signed URL leads nowhere then.
struct SilenceTests {
  @Test func `after three seconds of silence one looks before a client is sent there`() {
    let servers = Counting()
    let engine = OffloadEngine(
      upstream: servers, store: servers,
      cache: DecisionCache(DecisionCache.Lifetimes(proof: .seconds(3600), presence: .seconds(3600)))
    )
    // The engine itself notes when it has heard of the bucket.
    let start = Moment.now()
    func get(_ client: UInt64, after seconds: Int64) -> String {
      let now = Moment(unix: start.unix + seconds, steady: start.steady + seconds * 1000)
      return engine.decide(BlobRequest(.get, .sample(fingerprint: 1), client: client), at: now).leaf
    }
    #expect(get(1, after: 0) == "redirect")
    servers.state.withLock { $0.isStoreDown = true }
    #expect(get(2, after: 3) == "redirect")
    #expect(get(3, after: 60) == "pass s3")
  }
}

extension OffloadEngine {
  func hear(at now: Moment) { watches.store.record(.answer, of: nil, at: now.steady) }
}

extension DecisionTests {
  /// What is learnt of one project or object says nothing of the others.
  @Test func `a status is an answer`() {
    let servers = Counting()
    let engine = OffloadEngine(upstream: servers, store: servers)
    servers.state.withLock { $0.answer = .failure(.status(500)) }
    for _ in 0..<10 {
      #expect(
        engine.decide(BlobRequest(.get, .sample(name: "broken/one")), at: start).leaf
          == "pass upstream-status")
    }
    servers.state.withLock { $0.answer = .success(BlobProof(size: 10)) }
    #expect(
      engine.decide(BlobRequest(.get, .sample(name: "other/one")), at: start).leaf == "redirect")
  }

  @Test func `timeouts of one repository rest that repository only`() {
    let servers = Counting()
    let engine = OffloadEngine(upstream: servers, store: servers)
    // The rest, which begins later, is not over then.
    let now = Moment.now()
    func get(_ name: String) -> String {
      engine.decide(BlobRequest(.get, .sample(name: name)), at: now).leaf
    }
    servers.state.withLock { $0.answer = .failure(.unreachable("no response within 5 s")) }
    for _ in 0..<10 { #expect(get("slow/one") == "pass upstream-unreachable") }
    #expect(servers.state.withLock { $0.proofs } == 1)
    servers.state.withLock { $0.answer = .success(BlobProof(size: 10)) }
    #expect(get("other/one") == "redirect")
    #expect(get("slow/one") == "pass upstream-unreachable")
  }

  @Test func `connections that fail are the server's matter, and no repository's`() {
    let servers = Counting()
    let engine = OffloadEngine(upstream: servers, store: servers)
    func get(_ name: String) -> String {
      engine.decide(BlobRequest(.get, .sample(name: name)), at: Moment.now()).leaf
    }
    servers.state.withLock { $0.answer = .failure(.unconnected("connection refused")) }
    for _ in 0..<10 { #expect(get("one/one") == "pass upstream-unreachable") }
    #expect(servers.state.withLock { $0.proofs } == 2)
    servers.state.withLock { $0.answer = .success(BlobProof(size: 10)) }
    #expect(get("other/one") == "pass upstream-unreachable")
    #expect(servers.state.withLock { $0.proofs } == 2, "nobody else waits to find out")
    engine.watches.upstream.endLook(.answer, at: Moment.now().steady)
    #expect(get("one/one") == "redirect", "its repositories do not rest on")
    #expect(get("other/one") == "redirect")
  }

  @Test func `timeouts in two repositories are the server's matter`() {
    let servers = Counting()
    let engine = OffloadEngine(upstream: servers, store: servers)
    func get(_ name: String) -> String {
      engine.decide(BlobRequest(.get, .sample(name: name)), at: Moment.now()).leaf
    }
    servers.state.withLock { $0.answer = .failure(.unreachable("no response within 5 s")) }
    for name in ["slow/one", "slow/two"] { #expect(get(name) == "pass upstream-unreachable") }
    servers.state.withLock { $0.answer = .success(BlobProof(size: 10)) }
    #expect(get("other/one") == "pass upstream-unreachable")
    #expect(servers.state.withLock { $0.proofs } == 2)
  }
}
