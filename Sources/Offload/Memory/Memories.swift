package import Primitives
package import Registry

/// What is remembered between requests, of all locations; bounded, and only of what was allowed.
package final class Memories: Sendable {
  /// How long, and by what, things are remembered. Zero is not at all.
  package struct Lives: Sendable {
    /// `BLOBLO_PROOF_TTL`
    package var proof: Duration
    package var scope: ProofScope
    /// `BLOBLO_PROOF_STALE`: how long after its life a proof may still serve while upstream is down.
    package var staleProof: Duration
    /// `BLOBLO_PRESENCE_TTL`
    package var presence: Duration

    package init(
      proof: Duration = .zero, scope: ProofScope = .blob, staleProof: Duration = .zero,
      presence: Duration = .zero
    ) {
      self.proof = proof
      self.scope = scope
      self.staleProof = staleProof
      self.presence = presence
    }
  }

  /// How long a repository is known to have a blob: content is immutable, though it can be deleted.
  static let contentLife = Duration.seconds(3600)
  /// How long an object is known to be absent, and no longer than one is known to be there.
  static let absenceLife = Duration.seconds(2)

  package let lives: Lives
  private let proofs: AgingMemory<Question, RememberedProof>
  /// For the scope `repository`: this asker reads this repository…
  private let readers: AgingMemory<Reader, RememberedProof.Life>
  /// …and this repository has this blob.
  private let contents: AgingMemory<Content, BlobProof>
  private let presences: AgingMemory<StoredKey, Presence>

  /// - Parameter limit: entries of each memory.
  package init(_ lives: Lives, limit: Int = 32_768) {
    self.lives = lives
    proofs = AgingMemory(limit: limit)
    readers = AgingMemory(limit: limit)
    contents = AgingMemory(limit: limit)
    presences = AgingMemory(limit: limit)
  }

  package var counts: [(name: String, counts: MemoryCounts)] {
    [
      ("proof", proofs.counts), ("reader", readers.counts), ("content", contents.counts),
      ("presence", presences.counts),
    ]
  }

  /// A blob's size in bytes, if anything remembered tells it. For the figures, never for a decision.
  func knownSize(of question: Question, at now: Moment) -> Int64? {
    if let size = proofs.peek(question, at: now.steady)?.proof.size { return size }
    if let size = contents.peek(Content(question), at: now.steady)?.size { return size }
    let key = StoredKey(location: question.location, digest: question.path.digest)
    guard case .present(let blob, _)? = presences.peek(key, at: now.steady) else { return nil }
    return blob.size
  }

  // MARK: proofs

  /// A proof that still holds.
  ///
  /// - Parameter isStaleGood: whether one whose life is over may serve, since upstream does not answer.
  func proof(for question: Question, at now: Moment, isStaleGood: Bool = false) -> BlobProof? {
    guard lives.proof > .zero else { return nil }
    switch lives.scope {
    case .blob:
      guard let known = proofs.value(of: question, at: now.steady) else { return nil }
      return known.life.holds(at: now, isStaleGood: isStaleGood) ? known.proof : nil
    case .repository:
      guard let life = readers.value(of: Reader(question), at: now.steady),
        life.holds(at: now, isStaleGood: isStaleGood)
      else { return nil }
      return contents.value(of: Content(question), at: now.steady)
    }
  }

  /// Whether a proof is remembered, for who only looks on.
  func isProven(_ question: Question, at now: Moment) -> Bool {
    guard lives.proof > .zero else { return false }
    switch lives.scope {
    case .blob:
      return proofs.peek(question, at: now.steady)?.life.holds(at: now, isStaleGood: false) ?? false
    case .repository:
      guard let life = readers.peek(Reader(question), at: now.steady) else { return false }
      return life.holds(at: now, isStaleGood: false)
        && contents.peek(Content(question), at: now.steady) != nil
    }
  }

  /// - Parameter credentialEnd: when the credential ends by its own word; no proof outlives it.
  func keep(
    _ proof: BlobProof, for question: Question, credentialEnd: UnixTime?, at now: Moment
  ) {
    guard lives.proof > .zero else { return }
    let life = RememberedProof.Life(lives, credentialEnd: credentialEnd, at: now)
    guard life.staleEnd > now.steady else { return }
    switch lives.scope {
    case .blob:
      proofs.keep(
        RememberedProof(proof: proof, life: life), of: question, until: life.staleEnd,
        at: now.steady)
    case .repository:
      readers.keep(life, of: Reader(question), until: life.staleEnd, at: now.steady)
      contents.keep(
        proof, of: Content(question), until: now.steady + Self.contentLife.milliseconds,
        at: now.steady)
    }
  }

  /// Upstream has refused: what it allowed before is over.
  func forgetProof(for question: Question, _ refusal: Unproven) {
    proofs.forget(question)
    guard lives.scope == .repository else { return }
    contents.forget(Content(question))
    // That there is no such blob says nothing of who may read the repository.
    if refusal != .status(404) { readers.forget(Reader(question)) }
  }

  // MARK: presence

  func presence(of digest: Digest, in location: LocationID, at now: Moment) -> Presence? {
    presences.value(of: StoredKey(location: location, digest: digest), at: now.steady)
  }

  /// That an object is there, told by another while this one asked; not counted as a use of the memory.
  func newPresence(of digest: Digest, in location: LocationID, at now: Moment) -> Presence? {
    let found = presences.peek(StoredKey(location: location, digest: digest), at: now.steady)
    return if case .present? = found { found } else { nil }
  }

  package func keep(
    _ presence: Presence, of digest: Digest, in location: LocationID, at now: Moment
  ) {
    var life = lives.presence
    switch presence {
    case .absent: life = min(life, Self.absenceLife)
    case .present(let blob, _):
      if let end = blob.expiration { life = min(life, .seconds(max(0, end - now.unix))) }
    }
    guard life > .zero else { return }
    presences.keep(
      presence, of: StoredKey(location: location, digest: digest),
      until: now.steady + life.milliseconds, at: now.steady)
  }

  package func forgetPresence(of digest: Digest, in location: LocationID) {
    presences.forget(StoredKey(location: location, digest: digest))
  }
}

/// What a proof is taken for.
package enum ProofScope: String, Sendable, CaseIterable {
  /// This credential reads this blob in this repository.
  case blob
  /// This credential reads this repository; and, apart from that, this repository has this blob.
  case repository
}

struct RememberedProof: Sendable {
  struct Life: Sendable {
    /// `Moment.steady`.
    let end: Int64
    let staleEnd: Int64

    init(_ lives: Memories.Lives, credentialEnd: UnixTime?, at now: Moment) {
      let credential = credentialEnd.map { now.steady + ($0 - now.unix) * 1000 } ?? .max
      end = min(now.steady + lives.proof.milliseconds, credential)
      staleEnd = min(now.steady + (lives.proof + lives.staleProof).milliseconds, credential)
    }

    func holds(at now: Moment, isStaleGood: Bool) -> Bool {
      now.steady < (isStaleGood ? staleEnd : end)
    }
  }

  let proof: BlobProof
  let life: Life
}

private struct Reader: Spread, Sendable {
  let location: LocationID
  let asker: Asker
  let name: RepositoryName

  var spread: UInt64 { asker.low }

  init(_ question: Question) {
    (location, asker, name) = (question.location, question.asker, question.path.name)
  }
}

private struct Content: Spread, Sendable {
  let location: LocationID
  let path: BlobPath

  var spread: UInt64 { path.digest.spread }

  init(_ question: Question) { (location, path) = (question.location, question.path) }
}

private struct StoredKey: Spread, Sendable {
  let location: LocationID
  let digest: Digest

  var spread: UInt64 { digest.spread }
}

extension Duration {
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
