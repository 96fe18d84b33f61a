import HTTPTransport
import Primitives
import Registry
import Testing

@testable import Offload

struct DecisionCacheTests {
  static let start = Moment(unix: UnixTime(seconds: 1_000_000), steady: 5_000_000)

  static func later(_ seconds: Int64) -> Moment {
    Moment(unix: start.unix + seconds, steady: start.steady + seconds * 1000)
  }

  @Test func `a proof is remembered for its life, and not a moment longer`() {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30)))
    cache.proofs.keep(
      BlobProof(size: 7), for: .sample(), credentialEnd: nil, at: Self.start)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(29))?.size == 7)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(30)) == nil)
  }

  @Test func `with a life of zero nothing is remembered`() {
    let cache = DecisionCache(DecisionCache.Lifetimes())
    cache.proofs.keep(BlobProof(size: 7), for: .sample(), credentialEnd: nil, at: Self.start)
    cache.keep(.present(StoredBlob(size: 7), nil), of: .a, lookedAt: Self.start)
    #expect(cache.proofs.proof(for: .sample(), at: Self.start) == nil)
    #expect(cache.object(.a, at: Self.start) == nil)
  }

  @Test func `a proof ends with the credential it was given to`() {
    let cache = DecisionCache(
      DecisionCache.Lifetimes(proof: .seconds(30), staleProof: .seconds(600)))
    cache.proofs.keep(
      BlobProof(size: 7), for: .sample(), credentialEnd: Self.start.unix + 10, at: Self.start)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(9)) != nil)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(10)) == nil)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(10), isStaleGood: true) == nil)
  }

  @Test func `what is learnt late in a second ends in time as well`() {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(300)))
    let late = Moment(unix: Self.start.unix, millisecond: 900, steady: Self.start.steady)
    let end = Moment(unix: late.unix + 10, steady: late.steady + 9_100)
    let before = Moment(unix: late.unix + 9, millisecond: 999, steady: late.steady + 9_099)
    cache.proofs.keep(
      BlobProof(size: 7), for: .sample(), credentialEnd: late.unix + 10, at: late)
    cache.keep(
      .present(StoredBlob(size: 7, expiration: late.unix + 10), nil), of: .a, lookedAt: late)
    #expect(cache.proofs.proof(for: .sample(), at: before) != nil)
    #expect(cache.proofs.proof(for: .sample(), at: end) == nil)
    #expect(cache.object(.a, at: before) != nil)
    #expect(cache.object(.a, at: end) == nil)
  }

  @Test func `a clock that is set back lengthens nothing`() {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30)))
    cache.proofs.keep(BlobProof(size: 7), for: .sample(), credentialEnd: nil, at: Self.start)
    let setBack = Moment(unix: Self.start.unix + -3600, steady: Self.start.steady + 30_000)
    #expect(cache.proofs.proof(for: .sample(), at: setBack) == nil)
  }

  @Test(arguments: [
    AccessQuery.sample(fingerprint: 2), .sample(location: 1), .sample(name: "other/repo"),
    .sample(digest: .b),
  ])
  func `a proof is for one client, location, repository and blob`(_ other: AccessQuery) {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30)))
    cache.proofs.keep(BlobProof(size: 7), for: .sample(), credentialEnd: nil, at: Self.start)
    #expect(cache.proofs.proof(for: other, at: Self.start) == nil)
  }

  @Test func `a refusal ends what was allowed before`() {
    for scope in ProofScope.allCases {
      let cache = DecisionCache(
        DecisionCache.Lifetimes(proof: .seconds(30), scope: scope, staleProof: .seconds(600)))
      cache.proofs.keep(BlobProof(size: 7), for: .sample(), credentialEnd: nil, at: Self.start)
      cache.proofs.forget(.sample(), .status(401), at: Self.start)
      #expect(cache.proofs.proof(for: .sample(), at: Self.start, isStaleGood: true) == nil)
    }
  }

  @Test func `in scope repository a reader and a content make a proof`() {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30), scope: .repository))
    cache.proofs.keep(
      BlobProof(size: 7), for: .sample(fingerprint: 1, digest: .a), credentialEnd: nil,
      at: Self.start)
    cache.proofs.keep(
      BlobProof(size: 8), for: .sample(fingerprint: 2, digest: .b), credentialEnd: nil,
      at: Self.start)
    #expect(
      cache.proofs.proof(for: .sample(fingerprint: 1, digest: .b), at: Self.start)?.size == 8)
    #expect(
      cache.proofs.proof(for: .sample(fingerprint: 2, digest: .a), at: Self.start)?.size == 7)
    // Neither the reader alone nor the content alone does.
    #expect(cache.proofs.proof(for: .sample(fingerprint: 3, digest: .a), at: Self.start) == nil)
    #expect(
      cache.proofs.proof(for: .sample(fingerprint: 1, name: "x/y", digest: .a), at: Self.start)
        == nil)
  }

  @Test func `in scope repository an unknown blob says nothing of the reader`() {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30), scope: .repository))
    cache.proofs.keep(BlobProof(size: 7), for: .sample(), credentialEnd: nil, at: Self.start)
    cache.proofs.forget(.sample(digest: .b), .status(404), at: Self.start)
    #expect(cache.proofs.proof(for: .sample(), at: Self.start) != nil)
  }

  @Test func `in scope repository nothing outlives a proof's life`() {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30), scope: .repository))
    cache.proofs.keep(
      BlobProof(size: 7), for: .sample(fingerprint: 1), credentialEnd: nil, at: Self.start)
    // Others go on reading the repository: that says nothing of this blob.
    for second in stride(from: 10, to: 300, by: 10) as StrideTo<Int64> {
      cache.proofs.keep(
        BlobProof(size: 7), for: .sample(fingerprint: 1, digest: .b), credentialEnd: nil,
        at: Self.later(second))
      let proof = cache.proofs.proof(for: .sample(fingerprint: 1), at: Self.later(second))
      #expect((proof != nil) == (second < 30), "after \(second) s")
    }
  }

  @Test func `in scope repository only one who reads it has news of its contents`() {
    for refusal in [Unproven.status(404), .otherDigest, .status(401), .status(403)] {
      let cache = DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30), scope: .repository))
      cache.proofs.keep(
        BlobProof(size: 7), for: .sample(fingerprint: 1), credentialEnd: nil, at: Self.start)
      cache.proofs.forget(.sample(fingerprint: 2), refusal, at: Self.start)
      #expect(
        cache.proofs.proof(for: .sample(fingerprint: 1), at: Self.start) != nil, "\(refusal)")
      cache.proofs.forget(.sample(fingerprint: 1), refusal, at: Self.start)
      #expect(
        cache.proofs.proof(for: .sample(fingerprint: 1), at: Self.start) == nil, "\(refusal)")
    }
  }

  @Test func `a stale proof serves only when it is asked for, and for its time`() {
    let cache = DecisionCache(
      DecisionCache.Lifetimes(proof: .seconds(30), staleProof: .seconds(60)))
    cache.proofs.keep(BlobProof(size: 7), for: .sample(), credentialEnd: nil, at: Self.start)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(89)) == nil)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(89), isStaleGood: true) != nil)
    #expect(cache.proofs.proof(for: .sample(), at: Self.later(90), isStaleGood: true) == nil)
  }
}

struct TTLCacheTests {
  private struct Key: CacheKey {
    let number: Int
    var keyedHash: UInt64 { UInt64(number) }
  }

  @Test func `it never holds more than its limit, and the oldest goes first`() {
    let cache = TTLCache<Key, Int>(limit: 160)
    for number in 0..<1600 { cache.keep(number, of: Key(number: number), until: 100, at: 0) }
    #expect(cache.counts.entries == 160)
    #expect(cache.counts.evictions == 1440)
    #expect(cache.value(of: Key(number: 0), at: 0) == nil)
    #expect(cache.value(of: Key(number: 1599), at: 0) == 1599)
  }

  @Test func `what is used stays when what is not must go`() {
    let cache = TTLCache<Key, Int>(limit: 160)
    for number in 0..<160 { cache.keep(number, of: Key(number: number), until: 100, at: 0) }
    for number in 160..<1600 {
      _ = cache.value(of: Key(number: 3), at: 0)
      cache.keep(number, of: Key(number: number), until: 100, at: 0)
    }
    #expect(cache.value(of: Key(number: 3), at: 0) == 3)
    #expect(cache.value(of: Key(number: 19), at: 0) == nil)
  }

  @Test func `the same key again and again takes one place`() {
    let cache = TTLCache<Key, Int>(limit: 16)
    for turn in 0..<10_000 {
      cache.keep(turn, of: Key(number: 1), until: Int64(turn), at: Int64(turn))
      cache.forget(Key(number: 1))
    }
    #expect(cache.counts.entries == 1)
    #expect(cache.value(of: Key(number: 1), at: 0) == nil)
  }

  @Test func `threads may use it at once`() async {
    let cache = TTLCache<Key, Int>(limit: 64)
    await withTaskGroup { group in
      for task in 0..<4 {
        group.addTask {
          for turn in 0..<5000 {
            let key = Key(number: (turn * 7 + task) % 200)
            cache.keep(key.number, of: key, until: 10, at: 0)
            if let value = cache.value(of: key, at: 0) { #expect(value == key.number) }
          }
        }
      }
    }
    #expect(cache.counts.entries <= 64)
  }
}

struct ResponseCacheTests {
  private let key = ResponseCache.Key(location: LocationID(0), fingerprint: .number(1))
  private let start = DecisionCacheTests.start

  private func answer(_ status: Int = 200, _ body: Int = 2) -> HTTPResponse {
    HTTPResponse(
      head: HTTPResponseHead(status: status, fields: []), body: [UInt8](repeating: 1, count: body))
  }

  @Test func `an answer lives for half of its token's life`() {
    let cache = ResponseCache(longest: .seconds(600))
    cache.keep(answer(), to: key, tokenEnd: start.unix + 60, at: start)
    #expect(cache.answer(to: key, at: DecisionCacheTests.later(29)) != nil)
    #expect(cache.answer(to: key, at: DecisionCacheTests.later(30)) == nil)
  }

  @Test func `and never longer than the setting says`() {
    let cache = ResponseCache(longest: .seconds(600))
    cache.keep(answer(), to: key, tokenEnd: start.unix + 86_400, at: start)
    #expect(cache.answer(to: key, at: DecisionCacheTests.later(599)) != nil)
    #expect(cache.answer(to: key, at: DecisionCacheTests.later(600)) == nil)
  }

  /// A token of `life` seconds, kept and asked for later.
  private func token(_ life: Int, _ moments: Moment...) throws -> [String?] {
    let cache = ResponseCache(longest: .seconds(600))
    let body = Array(#"{"token":"abc","expires_in":\#(life)}"#.utf8)
    let answer = HTTPResponse(head: HTTPResponseHead(status: 200, fields: []), body: body)
    let token = try #require(TokenResponse(body, at: start.unix))
    cache.keep(answer, token, to: key, at: start)
    return moments.map {
      cache.answer(to: key, at: $0).map { String(decoding: $0.body, as: UTF8.self) }
    }
  }

  @Test func `a token's answer says what is left of its life`() throws {
    let told = try token(
      300, start, DecisionCacheTests.later(1), DecisionCacheTests.later(149),
      DecisionCacheTests.later(150))
    // A second less than is left: the clocks' parts of seconds are not known.
    #expect(
      told == [299, 298, 150].map { #"{"expires_in":\#($0),"token":"abc"}"# } + [nil])
  }

  @Test func `and is no longer given out when that is less than a minute`() throws {
    let told = try token(100, DecisionCacheTests.later(39), DecisionCacheTests.later(40))
    #expect(told == [#"{"expires_in":60,"token":"abc"}"#, nil])
    #expect(try token(60, start) == [nil])
  }

  @Test func `a calendar that was set takes nothing from a token's age`() throws {
    var (back, forth) = (DecisionCacheTests.later(100), DecisionCacheTests.later(100))
    back.unix = start.unix + -5000
    forth.unix = start.unix + 5000
    #expect(try token(300, back, forth) == [#"{"expires_in":199,"token":"abc"}"#, nil])
  }

  @Test(arguments: [(401, 2), (204, 2), (200, ResponseCache.bodyLimit + 1)])
  func `only a 200 of a sane size is kept`(_ status: Int, _ body: Int) {
    let cache = ResponseCache(longest: .seconds(600))
    cache.keep(answer(status, body), to: key, tokenEnd: nil, at: start)
    #expect(cache.answer(to: key, at: start) == nil)
  }

  @Test func `another client gets nothing of it`() {
    let cache = ResponseCache(longest: .seconds(600))
    cache.keep(answer(), to: key, tokenEnd: nil, at: start)
    let other = ResponseCache.Key(location: LocationID(0), fingerprint: .number(2))
    let elsewhere = ResponseCache.Key(location: LocationID(1), fingerprint: .number(1))
    #expect(cache.answer(to: other, at: start) == nil)
    #expect(cache.answer(to: elsewhere, at: start) == nil)
  }
}

extension Digest {
  static let a = Digest("sha256:" + String(repeating: "a", count: 64))!
  static let b = Digest("sha256:" + String(repeating: "b", count: 64))!
}

extension BlobKey {
  static let a = BlobKey(location: LocationID(0), digest: .a)
  static func sample(_ number: Int) -> BlobKey {
    let encoded = String(repeating: "\(number)", count: 64)
    return BlobKey(location: LocationID(0), digest: Digest("sha256:" + encoded)!)
  }
  static let b = BlobKey(location: LocationID(0), digest: .b)
}

extension ClientFingerprint {
  static func number(_ number: UInt8) -> ClientFingerprint {
    ClientFingerprint([UInt8](repeating: number, count: 16).span)
  }
}

extension AccessQuery {
  static func sample(
    fingerprint: UInt8 = 1, location: UInt32 = 0, name: String = "library/alpine",
    digest: Digest = .a
  ) -> AccessQuery {
    AccessQuery(
      location: LocationID(location), fingerprint: .number(fingerprint),
      path: BlobPath(name: RepositoryName(name)!, digest: digest))
  }
}
