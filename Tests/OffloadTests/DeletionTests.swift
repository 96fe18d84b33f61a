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
      unix: MemoriesTests.start.unix + milliseconds / 1000,
      steady: MemoriesTests.start.steady + milliseconds)
  }

  private func question(
    _ location: LocationID = here, fingerprint: UInt8 = 1, name: String = "team/app",
    digest: Digest = .a
  ) -> Question {
    Question(
      location: location, fingerprint: .number(fingerprint),
      path: BlobPath(name: RepositoryName(name)!, digest: digest))
  }

  private func memories(_ scope: ProofScope = .blob, stale: Duration = .zero) -> Memories {
    Memories(
      Memories.Lives(
        proof: .seconds(30), scope: scope, staleProof: stale, presence: .seconds(300)))
  }

  private func keep(_ question: Question, in memories: Memories, at now: Moment) {
    memories.proofs.keep(BlobProof(size: 7), for: question, credentialEnd: nil, at: now)
  }

  private func delete(
    _ path: BlobPath, _ outcome: BlobDeletion.Outcome, in memories: Memories, at now: Moment
  ) {
    BlobDeletion(.blob(path)).end(outcome, in: [Self.here, Self.sameRegistry], memories, at: now)
  }

  @Test(arguments: ProofScope.allCases)
  func `a deletion ends the proofs of everybody, in every location of the registry`(
    scope: ProofScope
  ) {
    let memories = memories(scope, stale: .seconds(3600))
    let gone = [question(), question(fingerprint: 2), question(Self.sameRegistry)]
    let others = [question(name: "other/app"), question(digest: .b), question(Self.otherRegistry)]
    for question in gone + others { keep(question, in: memories, at: later(0)) }
    delete(question().path, .answered(202), in: memories, at: later(10))
    for question in gone {
      #expect(memories.proofs.proof(for: question, at: later(10), isStaleGood: true) == nil)
      #expect(!memories.proofs.isProven(question, at: later(10)))
    }
    for question in others {
      #expect(memories.proofs.proof(for: question, at: later(10)) != nil, "\(question.path)")
    }
  }

  @Test func `nothing about the path is remembered for a proof's life afterwards`() {
    let memories = memories()
    delete(question().path, .answered(202), in: memories, at: later(10))
    // The answer to a question from before, and to others.
    for asked in [0, 10, 11, 15_000, 30_010] as [Int64] {
      keep(question(), in: memories, at: later(asked))
      #expect(memories.proofs.proof(for: question(), at: later(30_010)) == nil, "asked at \(asked)")
      #expect(memories.proofs.isDeletedLately(question(), at: later(asked)))
    }
    keep(question(), in: memories, at: later(30_011))
    #expect(memories.proofs.proof(for: question(), at: later(30_011)) != nil)
    #expect(!memories.proofs.isDeletedLately(question(), at: later(30_011)))
  }

  @Test func `a presence is looked up anew, and one found before the deletion is not kept`() {
    let memories = memories()
    let present = Presence.present(StoredBlob(size: 7), nil)
    for location in [Self.here, Self.sameRegistry, Self.otherRegistry] {
      memories.keep(present, of: BlobKey(location: location, digest: .a), lookedAt: later(0))
    }
    delete(question().path, .answered(202), in: memories, at: later(10))
    #expect(memories.object(BlobKey(location: Self.here, digest: .a), at: later(10)) == nil)
    #expect(memories.object(BlobKey(location: Self.sameRegistry, digest: .a), at: later(10)) == nil)
    #expect(
      memories.object(BlobKey(location: Self.otherRegistry, digest: .a), at: later(10)) != nil)
    memories.keep(present, of: BlobKey(location: Self.here, digest: .a), lookedAt: later(9))
    #expect(memories.object(BlobKey(location: Self.here, digest: .a), at: later(11)) == nil)
    memories.keep(present, of: BlobKey(location: Self.here, digest: .a), lookedAt: later(11))
    #expect(memories.object(BlobKey(location: Self.here, digest: .a), at: later(11)) != nil)
  }

  @Test(arguments: [
    (BlobDeletion.Outcome.answered(200), true), (.answered(202), true), (.answered(204), true),
    (.unknown, true), (.answered(401), false), (.answered(403), false), (.answered(404), false),
    (.answered(405), false), (.answered(307), false), (.answered(500), false), (.unsent, false),
  ])
  func `only what may have deleted forgets`(outcome: BlobDeletion.Outcome, isForgotten: Bool) {
    let memories = memories()
    keep(question(), in: memories, at: later(0))
    delete(question().path, outcome, in: memories, at: later(10))
    #expect((memories.proofs.proof(for: question(), at: later(10)) == nil) == isForgotten)
  }

  @Test func `a deletion of nobody knows what ends all proofs`() {
    let memories = memories()
    for question in [question(), question(digest: .b)] {
      keep(question, in: memories, at: later(0))
    }
    BlobDeletion(.someBlob).end(.answered(202), in: [Self.here], memories, at: later(10))
    for question in [question(), question(digest: .b)] {
      #expect(memories.proofs.proof(for: question, at: later(10)) == nil)
    }
  }

  @Test func `however many deletions there are, none is forgotten`() throws {
    let memories = memories()
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
        Question(location: Self.here, fingerprint: .number(1), path: path), in: memories,
        at: later(0))
    }
    for path in paths { delete(path, .answered(202), in: memories, at: later(10)) }
    for path in paths {
      let question = Question(location: Self.here, fingerprint: .number(1), path: path)
      #expect(memories.proofs.proof(for: question, at: later(10)) == nil)
    }
  }
}
