package import Primitives
package import Registry
internal import Synchronization

/// All that bloblo remembers between requests, of all locations: proofs, objects, deliveries. It is bounded, and
/// holds no refusals.
package final class DecisionCache: Sendable {
  /// How long each thing is remembered. Zero means not at all.
  package struct Lifetimes: Sendable {
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

  /// How long an absence is remembered; at most as long as a presence.
  static let absenceLife = Duration.seconds(2)
  /// How old a look may be while clients are sent to its object; then the next look is due.
  static let deliveredLife = Duration.seconds(5)

  package let lifetimes: Lifetimes
  let proofs: ProofCache
  private let deletions = Deletions()
  private let objects: TTLCache<BlobKey, SeenObject>
  private let deliveries: Deliveries
  private let lookQueue: Mutex<LookQueue>

  /// - Parameter limit: entries of each memory.
  package init(_ lifetimes: Lifetimes, limit: Int = 32_768) {
    self.lifetimes = lifetimes
    proofs = ProofCache(lifetimes, deletions, limit: limit)
    objects = TTLCache(limit: limit)
    deliveries = Deliveries(limit: limit * 2)
    lookQueue = Mutex(LookQueue(limit: limit))
  }

  package var counts: [(name: String, counts: CacheCounts)] {
    proofs.counts + [("presence", objects.counts), ("delivery", deliveries.counts)]
  }

  /// A blob's size in bytes, if it is remembered. For the metrics, never for a decision.
  func knownSize(of query: AccessQuery, at now: Moment) -> Int64? {
    if let size = proofs.knownSize(of: query, at: now) { return size }
    guard case .present(let blob, _)? = objects.peek(query.blob, at: now.steady)?.presence
    else { return nil }
    return blob.size
  }

  /// Notes that a registry has deleted a blob: everything learnt about it before is void, for every client.
  ///
  /// - Parameters:
  ///   - path: `nil` when it can't be told which.
  ///   - locations: all of that registry's.
  package func noteDeletion(of path: BlobPath?, in locations: [LocationID], at now: Moment) {
    for location in locations {
      deletions.note(path, in: location.registry, at: now.steady)
      if let path { forgetPresence(of: BlobKey(location: location, digest: path.digest)) }
    }
  }

  /// Forgets all that is known of a blob, in every location.
  package func forget(_ digest: Digest) {
    proofs.forget(digest)
    objects.forget { $0.digest == digest }
  }

  // MARK: presence

  /// What the last look at a blob's object has found.
  ///
  /// - Parameter isForDelivery: whether a client may be sent there. Then the object is looked at again in the
  ///   background: soon, or at once when the last look was long ago.
  func object(_ key: BlobKey, at now: Moment, isForDelivery: Bool = false) -> SeenObject? {
    let found = objects.use(key, at: now.steady) { object in
      let before = object
      if isForDelivery { object.isDelivered = true }
      return before
    }
    guard let found else { return nil }
    if isForDelivery, !found.isDelivered, case .present = found.presence {
      let due = found.lookedAt + Self.deliveredLife.milliseconds
      lookQueue.withLock { $0.add(key, due: due) }
    }
    return found
  }

  /// A presence that another request has found while this one asked. Not counted as a hit.
  func newPresence(of key: BlobKey, at now: Moment) -> Presence? {
    let found = objectUnused(key, at: now)?.presence
    return if case .present? = found { found } else { nil }
  }

  /// What the last look has found, for callers that send no client there. Not counted as a hit.
  func objectUnused(_ key: BlobKey, at now: Moment) -> SeenObject? {
    objects.peek(key, at: now.steady)
  }

  /// Keeps what a look has found, unless the blob was deleted since.
  ///
  /// - Parameters:
  ///   - start: when the look began: its answer is no younger than that.
  ///   - isForReturn: whether it was made for a client that came back.
  package func keep(
    _ presence: Presence, of key: BlobKey, lookedAt start: Moment, isForReturn: Bool = false
  ) {
    guard start.steady > deletions.last(of: key.digest, in: key.location.registry) else { return }
    var life = lifetimes.presence
    switch presence {
    case .absent: life = min(life, Self.absenceLife)
    case .present(let blob, _):
      if let end = blob.expiration {
        life = min(life, .milliseconds(max(0, start.milliseconds(until: end))))
      }
    }
    guard life > .zero else { return }
    var object = SeenObject(presence: presence, lookedAt: start.steady)
    let before = objects.peek(key, at: start.steady) ?? object
    object.earlyEnd = before.earlyEnd(after: start.steady)
    object.returnLookedAt = isForReturn ? start.steady : before.returnLookedAt
    objects.keep(object, of: key, until: start.steady + life.milliseconds, at: start.steady)
  }

  /// Keeps a URL with the object that it was signed for. That does not make the object remembered for longer.
  func keep(_ url: SignedURL, of key: BlobKey, at now: Moment) {
    _ = objects.use(key, at: now.steady) { object in
      if case .present(let blob, _) = object.presence { object.presence = .present(blob, url) }
    }
  }

  package func forgetPresence(of key: BlobKey) { objects.forget(key) }

  /// The next object to look at again: clients were sent there since the last look.
  package func nextLook(at now: Moment) -> BlobKey? {
    while let key = lookQueue.withLock({ $0.next(at: now.steady) }) {
      guard let object = objects.peek(key, at: now.steady), object.isDelivered,
        case .present = object.presence
      else { continue }
      guard object.lookedAt + Self.deliveredLife.milliseconds <= now.steady else {
        // Looked at meanwhile, and delivered again.
        lookQueue.withLock {
          $0.add(key, due: object.lookedAt + Self.deliveredLife.milliseconds)
        }
        continue
      }
      return key
    }
    return nil
  }

  /// Puts back a look from `nextLook` that can't be made now.
  package func postpone(_ key: BlobKey, to due: Int64) {
    lookQueue.withLock { $0.add(key, due: due) }
  }

  // MARK: deliveries

  /// Notes that a client was sent to the bucket for these bytes.
  func noteDelivery(_ request: BlobRequest, at now: Moment) {
    if lifetimes.presence > .zero { deliveries.note(request, at: now) }
  }

  /// Whether this client was sent to the bucket for the same bytes not long ago: perhaps it did not get them.
  func isRepeat(_ request: BlobRequest, at now: Moment) -> Bool {
    deliveries.isRepeat(request, at: now)
  }

  /// Whether this client was sent to the object for the same bytes after a look of that time.
  func isRepeat(_ request: BlobRequest, after lookedAt: Int64, at now: Moment) -> Bool {
    deliveries.age(of: request, at: now).map { Int64($0) < now.steady - lookedAt } ?? false
  }
}

extension AccessQuery {
  package var blob: BlobKey { BlobKey(location: location, digest: path.digest) }
}

extension Duration {
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
