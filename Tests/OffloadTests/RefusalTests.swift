import HTTPTransport
import Primitives
import Registry
import Testing

@testable import Offload

/// A yes of upstream's is void once upstream has refused a younger question.
struct RefusalTests {
  private func later(_ milliseconds: Int64) -> Moment {
    Moment(unix: UnixTime(seconds: 1_000_000), steady: 5_000_000 + milliseconds)
  }

  private func holds(
    _ cache: ProofCache, _ query: AccessQuery, askedAt start: Int64, at now: Int64
  ) -> Bool {
    cache.holds(
      query, askedAt: later(start).steady, answeredAt: later(start).steady, at: later(now))
  }

  private func cache(_ scope: ProofScope = .blob) -> ProofCache {
    DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30), scope: scope)).proofs
  }

  @Test(arguments: ProofScope.allCases, [Unproven.status(401), .status(403), .status(404)])
  func `an older question's yes that comes late is not kept`(scope: ProofScope, refusal: Unproven) {
    let cache = cache(scope)
    let query = AccessQuery.sample()
    cache.forget(query, refusal, at: later(1000))
    for (asked, isKept) in [(0, false), (1000, false), (1001, true)] as [(Int64, Bool)] {
      cache.keep(BlobProof(size: 7), for: query, credentialEnd: nil, at: later(asked))
      let isFound = cache.proof(for: query, at: later(3000)) != nil
      #expect(isFound == isKept, "asked at \(asked)")
    }
  }

  @Test func `who waited with it asks again`() {
    let cache = cache()
    let query = AccessQuery.sample()
    #expect(holds(cache, query, askedAt: 0, at: 3000))
    cache.forget(query, .status(403), at: later(1000))
    #expect(!holds(cache, query, askedAt: 0, at: 3000))
    #expect(holds(cache, query, askedAt: 1000, at: 3000))
    #expect(holds(cache, .sample(fingerprint: 9), askedAt: 0, at: 3000))
  }

  @Test func `a repository's refusal is one for each of its blobs`() {
    let cache = cache(.repository)
    cache.forget(.sample(digest: .a), .status(403), at: later(1000))
    #expect(!holds(cache, .sample(digest: .b), askedAt: 0, at: 3000))
  }

  @Test(arguments: [(Duration.seconds(30), Int64(30_000)), (.zero, 10_000), (.seconds(1), 10_000)])
  func `a proof does not count for longer than its life, but for some seconds`(
    life: Duration, end: Int64
  ) {
    let cache = DecisionCache(DecisionCache.Lifetimes(proof: life)).proofs
    #expect(holds(cache, .sample(), askedAt: 0, at: end))
    #expect(!holds(cache, .sample(), askedAt: 0, at: end + 1))
  }
}
