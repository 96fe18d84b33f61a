import HTTPTransport
import Primitives
import Registry
import Testing

@testable import Offload

/// What a DELETE of a blob does to what is remembered.
struct DeletionTests {
  private static let here = LocationID(0, registry: RegistryID(url: "http://a"))
  private static let sameRegistry = LocationID(1, registry: RegistryID(url: "http://a"))
  private static let otherRegistry = LocationID(2, registry: RegistryID(url: "http://b"))

  private func later(_ milliseconds: Int64) -> Moment {
    Moment(
      unix: DecisionCacheTests.start.unix + milliseconds / 1000,
      steady: DecisionCacheTests.start.steady + milliseconds)
  }

  private func query(
    _ location: LocationID = here, fingerprint: UInt8 = 1, name: String = "team/app",
    digest: Digest = .a
  ) -> AccessQuery {
    AccessQuery(
      location: location, fingerprint: .number(fingerprint),
      path: BlobPath(name: RepositoryName(name)!, digest: digest))
  }

  private func cache(_ scope: ProofScope = .blob, stale: Duration = .zero) -> DecisionCache {
    DecisionCache(
      DecisionCache.Lifetimes(
        proof: .seconds(30), scope: scope, staleProof: stale, presence: .seconds(300)))
  }

  private func keep(_ query: AccessQuery, in cache: DecisionCache, at now: Moment) {
    cache.proofs.keep(BlobProof(size: 7), for: query, credentialEnd: nil, at: now)
  }

  private func delete(
    _ path: BlobPath, _ outcome: BlobDeletion.Outcome, in cache: DecisionCache, at now: Moment
  ) {
    BlobDeletion(.blob(path)).end(outcome, in: [Self.here, Self.sameRegistry], cache, at: now)
  }

  @Test(arguments: ProofScope.allCases)
  func `a deletion ends the proofs of everybody, in every location of the registry`(
    scope: ProofScope
  ) {
    let cache = cache(scope, stale: .seconds(3600))
    let gone = [query(), query(fingerprint: 2), query(Self.sameRegistry)]
    let others = [query(name: "other/app"), query(digest: .b), query(Self.otherRegistry)]
    for query in gone + others { keep(query, in: cache, at: later(0)) }
    delete(query().path, .answered(202), in: cache, at: later(10))
    for query in gone {
      #expect(cache.proofs.proof(for: query, at: later(10), isStaleGood: true) == nil)
    }
    for query in others {
      #expect(cache.proofs.proof(for: query, at: later(10)) != nil, "\(query.path)")
    }
  }

  @Test func `nothing about the path is remembered for a proof's life afterwards`() {
    let cache = cache()
    delete(query().path, .answered(202), in: cache, at: later(10))
    // The answer to a question from before, and to others.
    for asked in [0, 10, 11, 15_000, 30_010] as [Int64] {
      keep(query(), in: cache, at: later(asked))
      #expect(cache.proofs.proof(for: query(), at: later(30_010)) == nil, "asked at \(asked)")
      #expect(cache.proofs.isDeletedLately(query(), at: later(asked)))
    }
    keep(query(), in: cache, at: later(30_011))
    #expect(cache.proofs.proof(for: query(), at: later(30_011)) != nil)
    #expect(!cache.proofs.isDeletedLately(query(), at: later(30_011)))
  }

  @Test func `a presence is looked up anew, and one found before the deletion is not kept`() {
    let cache = cache()
    let present = Presence.present(StoredBlob(size: 7), nil)
    for location in [Self.here, Self.sameRegistry, Self.otherRegistry] {
      cache.keep(present, of: BlobKey(location: location, digest: .a), lookedAt: later(0))
    }
    delete(query().path, .answered(202), in: cache, at: later(10))
    #expect(cache.object(BlobKey(location: Self.here, digest: .a), at: later(10)) == nil)
    #expect(cache.object(BlobKey(location: Self.sameRegistry, digest: .a), at: later(10)) == nil)
    #expect(
      cache.object(BlobKey(location: Self.otherRegistry, digest: .a), at: later(10)) != nil)
    cache.keep(present, of: BlobKey(location: Self.here, digest: .a), lookedAt: later(9))
    #expect(cache.object(BlobKey(location: Self.here, digest: .a), at: later(11)) == nil)
    cache.keep(present, of: BlobKey(location: Self.here, digest: .a), lookedAt: later(11))
    #expect(cache.object(BlobKey(location: Self.here, digest: .a), at: later(11)) != nil)
  }

  @Test(arguments: [
    (BlobDeletion.Outcome.answered(200), true), (.answered(202), true), (.answered(204), true),
    (.unknown, true), (.answered(401), false), (.answered(403), false), (.answered(404), false),
    (.answered(405), false), (.answered(307), false), (.answered(500), false), (.unsent, false),
  ])
  func `only what may have deleted forgets`(outcome: BlobDeletion.Outcome, isForgotten: Bool) {
    let cache = cache()
    keep(query(), in: cache, at: later(0))
    delete(query().path, outcome, in: cache, at: later(10))
    #expect((cache.proofs.proof(for: query(), at: later(10)) == nil) == isForgotten)
  }

  @Test func `a deletion of nobody knows what ends all proofs`() {
    let cache = cache()
    for query in [query(), query(digest: .b)] {
      keep(query, in: cache, at: later(0))
    }
    BlobDeletion(.someBlob).end(.answered(202), in: [Self.here], cache, at: later(10))
    for query in [query(), query(digest: .b)] {
      #expect(cache.proofs.proof(for: query, at: later(10)) == nil)
    }
  }

  @Test func `however many deletions there are, none is forgotten`() throws {
    let cache = cache()
    var paths: [BlobPath] = []
    for number in 0..<5000 {
      let hex = String(number, radix: 16)
      let digest = "sha256:" + String(repeating: "0", count: 64 - hex.count) + hex
      paths.append(
        BlobPath(
          name: try #require(RepositoryName("team/app")), digest: try #require(Digest(digest))))
    }
    for path in paths {
      keep(
        AccessQuery(location: Self.here, fingerprint: .number(1), path: path), in: cache,
        at: later(0))
    }
    for path in paths { delete(path, .answered(202), in: cache, at: later(10)) }
    for path in paths {
      let query = AccessQuery(location: Self.here, fingerprint: .number(1), path: path)
      #expect(cache.proofs.proof(for: query, at: later(10)) == nil)
    }
  }
}
