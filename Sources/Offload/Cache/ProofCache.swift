internal import Primitives
internal import Registry

/// The remembered proofs. Bounded; refusals are not kept.
final class ProofCache: Sendable {
  private let lifetimes: DecisionCache.Lifetimes
  private let proofs: TTLCache<AccessQuery, RememberedProof>
  /// For the scope `repository`: this client reads this repository…
  private let readers: TTLCache<Reader, RememberedProof.Life>
  /// …and this repository has this blob.
  private let contents: TTLCache<Content, RememberedProof>
  private let deletions: Deletions
  /// When upstream was last asked and refused. A yes to an older question is void.
  private let refusals = Refusals()

  /// - Parameter limit: entries of each memory.
  init(_ lifetimes: DecisionCache.Lifetimes, _ deletions: Deletions, limit: Int) {
    self.lifetimes = lifetimes
    self.deletions = deletions
    proofs = TTLCache(limit: limit)
    readers = TTLCache(limit: limit)
    contents = TTLCache(limit: limit)
  }

  var counts: [(name: String, counts: CacheCounts)] {
    [("proof", proofs.counts), ("reader", readers.counts), ("content", contents.counts)]
  }

  /// A blob's size in bytes, if a proof tells it. For the metrics, never for a decision.
  func knownSize(of query: AccessQuery, at now: Moment) -> Int64? {
    proofs.peek(query, at: now.steady)?.proof.size
      ?? contents.peek(Content(query), at: now.steady)?.proof.size
  }

  /// A proof that still holds.
  ///
  /// - Parameters:
  ///   - isStaleGood: whether an expired proof may serve, since upstream does not answer.
  ///   - isCounted: whether it counts as a hit or a miss.
  func proof(
    for query: AccessQuery, at now: Moment, isStaleGood: Bool = false, isCounted: Bool = true
  ) -> BlobProof? {
    guard lifetimes.proof > .zero else { return nil }
    let known: RememberedProof?
    switch lifetimes.scope {
    case .blob: known = proofs.value(of: query, at: now.steady, isCounted: isCounted)
    case .repository:
      guard
        let life = readers.value(of: Reader(query), at: now.steady, isCounted: isCounted),
        life.holds(at: now, isStaleGood: isStaleGood)
      else { return nil }
      known = contents.value(of: Content(query), at: now.steady, isCounted: isCounted)
    }
    guard let known, known.life.holds(at: now, isStaleGood: isStaleGood),
      known.life.start > lastDeletion(of: query)
    else { return nil }
    return known.proof
  }

  /// Whether upstream's yes to a question of this time still counts: nothing was deleted or refused since, and it is
  /// not too old. It counts for `BLOBLO_PROOF_TTL`, and at least for some seconds for the requests that waited for it.
  func holds(
    _ query: AccessQuery, askedAt start: Int64, answeredAt end: Int64, at now: Moment
  ) -> Bool {
    start >= lastDeletion(of: query) && start >= lastRefusal(of: query)
      && now.steady - end <= max(lifetimes.proof.milliseconds, Self.leastLife)
  }

  /// In milliseconds.
  private static var leastLife: Int64 { 10_000 }

  /// - Parameters:
  ///   - credentialEnd: when the credential ends, as it says itself; no proof outlives it.
  ///   - now: when upstream was asked.
  func keep(
    _ proof: BlobProof, for query: AccessQuery, credentialEnd: UnixTime?, at now: Moment
  ) {
    guard lifetimes.proof > .zero, !isDeletedLately(query, at: now),
      now.steady > lastRefusal(of: query)
    else { return }
    let life = RememberedProof.Life(lifetimes, credentialEnd: credentialEnd, at: now)
    guard life.staleEnd > now.steady else { return }
    switch lifetimes.scope {
    case .blob:
      proofs.keep(
        RememberedProof(proof: proof, life: life), of: query, until: life.staleEnd,
        at: now.steady)
    case .repository:
      readers.keep(life, of: Reader(query), until: life.staleEnd, at: now.steady)
      // That the repository has the blob is true beyond this credential's end, but not beyond a proof's.
      let contentLife = RememberedProof.Life(lifetimes, credentialEnd: nil, at: now)
      contents.keep(
        RememberedProof(proof: proof, life: contentLife), of: Content(query),
        until: contentLife.staleEnd, at: now.steady)
    }
  }

  /// Ends a proof, since upstream has refused.
  ///
  /// - Parameter now: when upstream was asked.
  func forget(_ query: AccessQuery, _ refusal: Unproven, at now: Moment) {
    proofs.forget(query)
    refusals.note(query, at: now.steady)
    guard lifetimes.scope == .repository else { return }
    switch refusal {
    case .status(404), .otherDigest:
      // Registries answer 404 to strangers too. Only when a reader of the repository gets it, it says something about
      // the blob, and nothing about the reader.
      guard isReader(query, at: now) else { return }
      contents.forget(Content(query))
      refusals.note(Content(query), at: now.steady)
    default:
      readers.forget(Reader(query))
      refusals.note(Reader(query), at: now.steady)
    }
  }

  /// Ends every proof of a blob, in every location.
  func forget(_ digest: Digest) {
    proofs.forget { $0.path.digest == digest }
    contents.forget { $0.path.digest == digest }
  }

  /// Whether answers to questions from before a deletion may still arrive.
  func isDeletedLately(_ query: AccessQuery, at now: Moment) -> Bool {
    now.steady <= lastDeletion(of: query) + lifetimes.proof.milliseconds
  }

  private func lastRefusal(of query: AccessQuery) -> Int64 {
    let last = refusals.last(query)
    guard lifetimes.scope == .repository else { return last }
    return max(last, refusals.last(Reader(query)), refusals.last(Content(query)))
  }

  private func lastDeletion(of query: AccessQuery) -> Int64 {
    deletions.last(of: query.path, in: query.location.registry)
  }

  /// Whether a proof of this repository, for whichever blob, is remembered of the client.
  func isReader(_ query: AccessQuery, at now: Moment) -> Bool {
    readers.peek(Reader(query), at: now.steady)?.holds(at: now, isStaleGood: false) ?? false
  }
}

/// What a proof covers.
package enum ProofScope: String, Sendable, CaseIterable {
  /// This credential reads this blob in this repository.
  case blob
  /// This credential reads this repository; and, apart from that, this repository has this blob.
  case repository
}

struct RememberedProof: Sendable {
  struct Life: Sendable {
    /// When upstream was asked; all as `Moment.steady`.
    let start: Int64
    let end: Int64
    let staleEnd: Int64

    init(_ lifetimes: DecisionCache.Lifetimes, credentialEnd: UnixTime?, at now: Moment) {
      let credential = credentialEnd.map { now.steady + now.milliseconds(until: $0) } ?? .max
      start = now.steady
      end = min(now.steady + lifetimes.proof.milliseconds, credential)
      staleEnd = min(now.steady + (lifetimes.proof + lifetimes.staleProof).milliseconds, credential)
    }

    func holds(at now: Moment, isStaleGood: Bool) -> Bool {
      now.steady < (isStaleGood ? staleEnd : end)
    }
  }

  let proof: BlobProof
  let life: Life
}

private struct Reader: CacheKey, Sendable {
  let location: LocationID
  let fingerprint: ClientFingerprint
  let name: RepositoryName

  init(_ query: AccessQuery) {
    (location, fingerprint, name) = (query.location, query.fingerprint, query.path.name)
  }
}

private struct Content: CacheKey, Sendable {
  let location: LocationID
  let path: BlobPath

  init(_ query: AccessQuery) { (location, path) = (query.location, query.path) }
}
