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

  /// How long an object is known to be absent, and no longer than one is known to be there.
  static let absenceLife = Duration.seconds(2)

  package let lives: Lives
  let proofs: ProofMemory
  private let deletions = Deletions()
  private let presences: AgingMemory<StoredKey, Presence>

  /// - Parameter limit: entries of each memory.
  package init(_ lives: Lives, limit: Int = 32_768) {
    self.lives = lives
    proofs = ProofMemory(lives, deletions, limit: limit)
    presences = AgingMemory(limit: limit)
  }

  package var counts: [(name: String, counts: MemoryCounts)] {
    proofs.counts + [("presence", presences.counts)]
  }

  /// A blob's size in bytes, if anything remembered tells it. For the figures, never for a decision.
  func knownSize(of question: Question, at now: Moment) -> Int64? {
    if let size = proofs.knownSize(of: question, at: now) { return size }
    let key = StoredKey(location: question.location, digest: question.path.digest)
    guard case .present(let blob, _)? = presences.peek(key, at: now.steady) else { return nil }
    return blob.size
  }

  /// A blob was deleted in a registry: all that was learnt of it before is void, for everybody.
  ///
  /// - Parameters:
  ///   - path: `nil` when it can't be told which.
  ///   - locations: all of that registry's.
  package func noteDeletion(of path: BlobPath?, in locations: [LocationID], at now: Moment) {
    for location in locations {
      deletions.note(path, in: location.registry, at: now.steady)
      if let path { forgetPresence(of: path.digest, in: location) }
    }
  }

  /// Forgets all that is known of a blob, in every location.
  package func forget(_ digest: Digest) {
    proofs.forget(digest)
    presences.forget { $0.digest == digest }
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

  /// - Parameter now: when the bucket was asked; an answer from before a deletion is not kept.
  package func keep(
    _ presence: Presence, of digest: Digest, in location: LocationID, at now: Moment
  ) {
    guard now.steady > deletions.last(of: digest, in: location.registry) else { return }
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
