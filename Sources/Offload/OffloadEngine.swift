package import HTTPTransport
package import Primitives
package import Registry

/// Decides on a request: by what is remembered, or else by asking upstream and the bucket.
///
/// The order is that of docs/requests.md: parse (already done: there is a `BlobRequest`), proof, HEAD, presence,
/// redirect or fill. Doubt at any step is a pass.
package final class OffloadEngine: Sendable {
  package struct Policy: Sendable {
    package var delivery: Delivery
    /// Smaller blobs pass, in bytes.
    package var minimumBlobSize: Int64

    package init(delivery: Delivery = .redirect, minimumBlobSize: Int64 = 0) {
      self.delivery = delivery
      self.minimumBlobSize = minimumBlobSize
    }
  }

  private let upstream: any ProofSource
  private let store: any BlobStore
  private let policy: Policy
  private let cache: DecisionCache
  private let sizes = SizeCache()
  let watches: Watches
  /// `nil` where none is looked at.
  private let road: RoadWatch?
  /// What the web server has said of reading the bucket.
  private let frontRoad = FrontRoadWatch()

  package init(
    upstream: any ProofSource, store: any BlobStore, policy: Policy = Policy(),
    cache: DecisionCache = DecisionCache(DecisionCache.Lifetimes()), watches: Watches = Watches(),
    road: RoadWatch? = nil
  ) {
    self.upstream = upstream
    self.store = store
    self.policy = policy
    self.cache = cache
    self.watches = watches
    self.road = road
  }

  /// What can be said without asking a server.
  package enum Recollection: Sendable {
    case decision(Decision)
    /// A server must be asked: with a remembered proof the bucket alone. Such a request must not wait with others for a
    /// slow upstream.
    case open(LookupResult?)
  }

  /// Decides without asking a server, if it can. Never waits.
  package func recollect(_ request: BlobRequest, at now: Moment) -> Recollection {
    if policy.delivery == .pass { return .decision(.pass(.delivery)) }
    if request.isConditional { return .decision(.pass(.conditional)) }
    switch (request.method, request.range) {
    case (_, .other), (.head, .single), (.head, .several): return .decision(.pass(.range))
    case (.get, .whole), (.get, .single), (.get, .several), (.head, .whole): break
    }
    // Without the bucket a GET must pass, so there is no need to ask upstream twice.
    if request.method == .get, let reason = storeTrouble(request, at: now) {
      return .decision(.pass(reason))
    }
    guard let proof = rememberedProof(request, at: now) else {
      return decideWithoutUpstream(request, at: now).map { .decision($0) } ?? .open(nil)
    }
    return decide(request, by: proof, at: now).map { .decision($0) }
      ?? .open(LookupResult(.success(proof), from: .memory(isStale: false), LookupTrace()))
  }

  /// Whether upstream's answer about one blob also tells about other blobs, or other clients
  /// (`BLOBLO_PROOF_SCOPE=repository`).
  package var areRepositoriesProved: Bool { cache.lifetimes.scope == .repository }

  /// Whether the client is known to read the repository.
  package func isReader(_ request: BlobRequest, at now: Moment) -> Bool {
    cache.proofs.isReader(request.query, at: now)
  }

  /// Whether the request may share the answer to an equal, earlier question.
  ///
  /// Not a HEAD, and not just after a deletion: the earlier question may be from before it.
  package func mayShareAnswer(_ request: BlobRequest, at now: Moment) -> Bool {
    cache.lifetimes.proof > .zero && request.method == .get
      && !cache.proofs.isDeletedLately(request.query, at: now)
  }

  /// No client waits for an upstream that does not answer.
  private func decideWithoutUpstream(_ request: BlobRequest, at now: Moment) -> Decision? {
    guard watches.upstream.isKnownBad(request.path.name, at: now.steady),
      staleProof(request, at: now) == nil
    else { return nil }
    return .pass(.unproven(.unreachable(Self.restWords)))
  }

  /// Why a client can't be sent to the bucket now, whatever is in it.
  private func storeTrouble(_ request: BlobRequest, at now: Moment) -> PassReason? {
    if watches.store.isKnownBad(request.path.digest, at: now.steady) {
      return .store(Self.restWords)
    }
    if let words = frontTrouble(at: now) { return .road(words) }
    guard let road, let words = road.trouble(at: now.steady) else { return nil }
    // It is looked at by what clients would be sent to, which may be well where another object is not.
    if case .present(let blob, _)? = cache.objectUnused(request.query.blob, at: now)?.presence,
      blob.defect == nil
    {
      road.use(ClientRoad.Stop(key: request.query.blob, size: blob.size), at: now.steady)
    }
    return .road(words)
  }

  /// - Returns: `nil` when the bucket must be asked.
  private func decide(
    _ request: BlobRequest, by proof: BlobProof, at now: Moment
  ) -> Decision? {
    if let decision = decideWithoutStore(request, proof) { return decision }
    let proof = sizes.complete(proof, for: request)
    guard
      case .present(let blob, let url)? = remembered(request, at: now)?.presence,
      isRight(blob, by: proof, for: request),
      // A signed URL leads nowhere while the bucket is down: after some silence a request asks.
      !watches.store.isSilent(at: now.steady)
    else { return nil }
    return deliver(request, by: proof, blob, knownURL: url, at: now)
  }

  /// What the last look found, if that is good enough for this request: a client that comes back for the
  /// same bytes may not have got them. It waits for a look that is younger than a second; or than its redirect,
  /// unless there were such looks just now.
  private func remembered(_ request: BlobRequest, at now: Moment) -> SeenObject? {
    guard let object = cache.object(request.query.blob, at: now, isForDelivery: true) else {
      return nil
    }
    // What clients can't read, another look would call well.
    guard case .present(let blob, _) = object.presence, blob.defect != .unreadable else {
      return object
    }
    // Where clients' own road is looked at, only such a look tells what the client may have met.
    let lookedAt = road == nil ? object.lookedAt : object.returnLookedAt
    guard !SeenObject.isOld(lookedAt, at: now) else {
      return cache.isRepeat(request, at: now) ? nil : object
    }
    guard cache.isRepeat(request, after: lookedAt, at: now) else { return object }
    road?.noteReturn()
    return object.mayBeLookedAtEarly(at: now) ? nil : object
  }

  /// Whether the client was sent to the bucket for the same bytes not long ago: perhaps it did not get them.
  package func isReturn(_ request: BlobRequest, at now: Moment) -> Bool {
    cache.isRepeat(request, at: now)
  }

  /// Asks upstream, unless that is needless, and waits for it.
  ///
  /// - Parameters:
  ///   - client: what goes upstream with the question.
  ///   - credentialEnd: when the client's credential ends, if it says so.
  package func prove(
    _ request: BlobRequest, for client: ClientFields, credentialEnd: @autoclosure () -> UnixTime?,
    by http: inout HTTPClient, at now: Moment
  ) -> LookupResult {
    if let known = recall(request, at: now) ?? answerForUpstream(request, at: now) { return known }
    let start = ContinuousClock.now
    let answer = Result { () throws(Unproven) in
      try upstream.prove(request.path, for: client, by: &http)
    }
    return learn(
      answer, of: request, after: ContinuousClock.now - start, credentialEnd: credentialEnd(),
      at: now)
  }

  /// The answer in place of an upstream that is known not to answer; `nil` when upstream must be asked.
  package func answerForUpstream(_ request: BlobRequest, at now: Moment) -> LookupResult? {
    guard watches.upstream.isOpen(for: request.path.name, at: now.steady) else { return nil }
    return stale(request, LookupTrace(), or: .unreachable(Self.restWords), at: now)
  }

  /// Remembers upstream's answer.
  ///
  /// - Parameters:
  ///   - time: how long the question took.
  ///   - now: when it was asked.
  package func learn(
    _ answer: Result<BlobProof, Unproven>, of request: BlobRequest, after time: Duration,
    credentialEnd: UnixTime?, at now: Moment
  ) -> LookupResult {
    let (query, repository) = (request.query, request.path.name)
    var trace = LookupTrace()
    trace.upstreamTime = time
    let source = LookupResult.Source.question(now.steady, answered: Moment.now().steady)
    switch answer {
    case .success(let proof):
      trace.upstreamStatus = proof.status
      watches.upstream.record(.answer, of: repository, at: now.steady)
      cache.proofs.keep(proof, for: query, credentialEnd: credentialEnd, at: now)
      return LookupResult(answer, from: source, trace)
    case .failure(.unasked(let words)):
      trace.upstreamTime = nil
      return stale(request, trace, or: .unasked(words), at: now)
    case .failure(let error):
      trace.upstreamStatus = error.status
      switch error {
      case .unconnected:
        watches.upstream.record(.noConnection, of: repository, at: Moment.now().steady)
      case .unreachable:
        watches.upstream.record(.noAnswer, of: repository, at: Moment.now().steady)
      default: watches.upstream.record(.answer, of: repository, at: now.steady)
      }
      guard error.isTrouble else {
        cache.proofs.forget(query, error, at: now)
        return LookupResult(answer, from: source, trace)
      }
      return stale(request, trace, or: error, at: now)
    }
  }

  /// The remembered proof as an answer.
  package func recall(_ request: BlobRequest, at now: Moment) -> LookupResult? {
    rememberedProof(request, at: now).map {
      LookupResult(.success($0), from: .memory(isStale: false), LookupTrace())
    }
  }

  /// A client decides by a HEAD whether it must push, so only the registry's current answer is good enough for one.
  private func rememberedProof(_ request: BlobRequest, at now: Moment) -> BlobProof? {
    request.method == .get ? cache.proofs.proof(for: request.query, at: now) : nil
  }

  /// Adds what is remembered about the bucket.
  ///
  /// - Returns: `nil` when the bucket must be looked at.
  package func complete(
    _ lookup: LookupResult, of request: BlobRequest, at now: Moment
  ) -> LookupResult? {
    guard case .proven(let proof) = lookup.answer, decideWithoutStore(request, proof) == nil,
      storeTrouble(request, at: now) == nil
    else { return lookup }
    guard let object = remembered(request, at: now), !watches.store.takeSilence(at: now.steady)
    else { return nil }
    var lookup = lookup
    lookup.trace.isPresenceRemembered = true
    lookup.store = .presence(object.presence)
    return lookup
  }

  /// Whether requests for the same blob may share a look.
  package var areLooksShared: Bool { cache.lifetimes.presence > .zero }

  /// Looks into the bucket, and waits for it.
  ///
  /// - Parameter isForReturn: whether it is for a client that came back.
  package func look(
    at key: BlobKey, by http: inout HTTPClient, isForReturn: Bool = false, at now: Moment
  ) -> Look {
    let start = ContinuousClock.now
    let store = look(at: key, &http, now, isForReturn: isForReturn)
    return Look(store: store, time: ContinuousClock.now - start)
  }

  /// Whether what allowed the read still does, for a request that has waited since.
  package func holds(_ lookup: LookupResult, of request: BlobRequest, at now: Moment) -> Bool {
    guard lookup.isProven else { return true }
    switch lookup.source {
    case .question(let start, let end):
      return cache.proofs.holds(request.query, askedAt: start, answeredAt: end, at: now)
    case .memory(let isStale):
      return cache.proofs.proof(
        for: request.query, at: now, isStaleGood: isStale, isCounted: false) != nil
    }
  }

  /// Decides by the answers of upstream and bucket.
  package func decide(_ request: BlobRequest, by lookup: LookupResult, at now: Moment) -> Decision {
    let proof: BlobProof
    switch lookup.answer {
    case .unproven(let why): return .pass(.unproven(why))
    case .proven(let found): proof = sizes.complete(found, for: request)
    }
    if let decision = decideWithoutStore(request, proof) { return decision }
    switch lookup.store {
    case .unasked: return .pass(storeTrouble(request, at: now) ?? .busy)
    case .failed(let words): return .pass(.store(words))
    case .denied(let words): return .pass(.storeDenied(words))
    case .presence(.present(let blob, let url)) where isRight(blob, by: proof, for: request):
      // The look may have found that clients can't read it.
      if let words = road?.trouble(at: now.steady) { return .pass(.road(words)) }
      return deliver(request, by: proof, blob, knownURL: url, at: now)
    case .presence(let presence):
      // Another's would be as unreadable.
      if presence.isUnreadable { return .pass(.store("clients may not read the object")) }
      if case .present(let blob, _) = presence, blob.defect == nil, proof.size == nil {
        return .pass(.unknownSize)
      }
      return .fill(proof, size: proof.size, replacing: presence.wrongObject)
    }
  }

  /// A blob's size in bytes, if it is remembered; for the metrics.
  package func knownSize(of request: BlobRequest) -> Int64? {
    cache.knownSize(of: request.query, at: .now())
  }

  /// Remembers a blob's size, which never changes.
  package func learn(size: Int64, of digest: Digest) { sizes.learn(size, of: digest) }

  /// Whether the object may be given for the blob: one of the right size, or without a known size one that is
  /// proven, or that the registry itself leads to.
  private func isRight(_ blob: StoredBlob, by proof: BlobProof, for request: BlobRequest) -> Bool {
    guard blob.defect == nil else { return false }
    if let size = proof.size { return size == blob.size }
    return blob.isProven
      || proof.target.map { store.isObject($0, of: request.path.digest) } ?? false
  }

  /// Remembers that a blob has just come into the bucket.
  package func remember(
    _ blob: StoredBlob, of digest: Digest, in location: LocationID, at now: Moment
  ) {
    cache.keep(
      .present(blob, nil), of: BlobKey(location: location, digest: digest), lookedAt: now)
  }

  /// Forgets a remembered absence, since a fill of any location has put the blob into the bucket.
  package func forgetAbsence(of digest: Digest, in location: LocationID, at now: Moment) {
    let key = BlobKey(location: location, digest: digest)
    guard case .absent? = cache.object(key, at: now)?.presence else { return }
    cache.forgetPresence(of: key)
  }

  private func decideWithoutStore(_ request: BlobRequest, _ proof: BlobProof) -> Decision? {
    if request.method == .head {
      return proof.size.map { .answer(proof, size: $0) } ?? .pass(.unknownSize)
    }
    if let size = proof.size, size < policy.minimumBlobSize { return .pass(.smallBlob) }
    return nil
  }

  /// Sends the client to the bucket, by a URL that was signed before, or by a new one.
  private func deliver(
    _ request: BlobRequest, by proof: BlobProof, _ blob: StoredBlob, knownURL known: SignedURL?,
    at now: Moment
  ) -> Decision {
    // The registry answers with the whole blob then, and S3 would with the range.
    if request.range != .whole, let validator = request.ifRange, !proof.isOf(validator) {
      return .pass(.otherValidator)
    }
    if request.range == .several {
      cache.noteDelivery(request, at: now)
      return .multipart(proof, size: blob.size)
    }
    let url: SignedURL
    if let known,
      known.isReusable(
        at: now, correction: store.clockCorrection(at: now),
        generation: store.signingGeneration(at: now))
    {
      url = known
    } else {
      do {
        url = try store.presign(request.path.digest, now: now)
      } catch {
        return .pass(.store(error.description))
      }
      cache.keep(url, of: request.query.blob, at: now)
    }
    cache.noteDelivery(request, at: now)
    road?.use(ClientRoad.Stop(key: request.query.blob, size: blob.size), at: now.steady)
    guard policy.delivery == .accelerate else {
      return .redirect(location: url.bytes, size: blob.size)
    }
    frontRoad.use(at: now.steady)
    return .accelerate(proof, url: url.bytes, size: blob.size)
  }

  // MARK: asking

  private func stale(
    _ request: BlobRequest, _ trace: LookupTrace, or error: Unproven, at now: Moment
  ) -> LookupResult {
    staleProof(request, at: now).map {
      LookupResult(.success($0), from: .memory(isStale: true), trace)
    } ?? LookupResult(.failure(error), from: .question(now.steady, answered: now.steady), trace)
  }

  /// What was proved before, and may serve while upstream is in trouble; for a HEAD only where
  /// `BLOBLO_PROOF_STALE` says so.
  private func staleProof(_ request: BlobRequest, at now: Moment) -> BlobProof? {
    guard request.method == .get || cache.lifetimes.staleProof > .zero else { return nil }
    return cache.proofs.proof(for: request.query, at: now, isStaleGood: true)
  }

  private func look(
    at key: BlobKey, _ http: inout HTTPClient, _ now: Moment, isForReturn: Bool = false
  ) -> LookupResult.Store {
    guard !watches.store.isOpen(for: key.digest, at: now.steady) else {
      return .failed(Self.restWords)
    }
    let known = cache.object(key, at: now)?.presence
    do {
      let blob = try store.find(key.digest, by: &http, now: now.unix)
      watches.store.record(.answer, of: key.digest, at: Moment.now().steady)
      // A fill may have published it since S3 looked.
      if blob == nil, known == nil, let newer = cache.newPresence(of: key, at: now) {
        return .presence(newer)
      }
      var presence = blob.map { Presence.present($0, nil) } ?? .absent
      // Equal requests get equal URLs.
      if let blob, case .present(let before, let url)? = known, before.size == blob.size {
        presence = .present(blob, url)
      }
      cache.keep(presence, of: key, lookedAt: now, isForReturn: isForReturn)
      return .presence(presence)
    } catch {
      watches.store.record(error.outcome, of: key.digest, at: Moment.now().steady)
      // S3 denies also what is merely absent; of what was there it denies the reading.
      if error.isAccessDenied, known.isPresent { cache.forgetPresence(of: key) }
      return error.isAccessDenied && !known.isPresent
        ? .denied(error.description) : .failed(error.description)
    }
  }

  /// Looks at an object that clients could not read. If the look finds it, no client is sent to it while that is
  /// remembered.
  ///
  /// - Returns: the result of the look.
  @discardableResult
  package func markUnreadable(_ key: BlobKey, by http: inout HTTPClient, at now: Moment) -> Look {
    let look = look(at: key, by: &http, at: now)
    guard let blob = look.readable else { return look }
    let unreadable = Presence.present(
      StoredBlob(
        size: blob.size, expiration: blob.expiration, defect: .unreadable, isProven: blob.isProven),
      nil)
    cache.keep(unreadable, of: key, lookedAt: now)
    return Look(store: .presence(unreadable), time: look.time)
  }

  // MARK: the web server's reading

  /// Finds the object that the web server could not read, by the URL that it got from this location.
  ///
  /// - Parameter target: path and query of that URL.
  /// - Returns: the object's size; `nil` when no such URL is given now, and nothing can be learnt.
  package func size(ofUnread digest: Digest, target: [UInt8], in id: LocationID, at now: Moment)
    -> Int64?
  {
    let key = BlobKey(location: id, digest: digest)
    guard policy.delivery == .accelerate,
      case .present(let blob, let url?)? = cache.objectUnused(key, at: now)?.presence,
      url.bytes.hasSuffix(target), url.bytes.count > target.count
    else { return nil }
    return blob.size
  }

  /// Forgets an object after a reader's error: the next request looks at it again.
  package func forgetUnread(_ digest: Digest, in id: LocationID) {
    cache.forgetPresence(of: BlobKey(location: id, digest: digest))
  }

  /// Lets blobs pass for a while, since the web server got no answer or a 5xx.
  package func rest(fromFront words: String, at now: Moment) {
    frontRoad.fail(words, at: now.steady)
  }

  /// Why bloblo does not send the web server to the bucket now.
  package func frontTrouble(at now: Moment) -> String? {
    policy.delivery == .accelerate ? frontRoad.trouble(at: now.steady) : nil
  }

  private static let restWords = "it did not answer; it is left alone for some seconds"
}

/// Whether the servers answer, shared by all locations that use them.
package struct Watches: Sendable {
  package let upstream: ServerWatch<RepositoryName>
  package let store: ServerWatch<Digest>

  package init(
    upstream: ServerWatch<RepositoryName> = ServerWatch(),
    store: ServerWatch<Digest> = ServerWatch()
  ) {
    self.upstream = upstream
    self.store = store
  }
}

/// How a blob in the bucket gets to the client.
package enum Delivery: String, Sendable, CaseIterable {
  case redirect
  case accelerate
  case pass
}

extension [UInt8] {
  fileprivate func hasSuffix(_ suffix: [UInt8]) -> Bool {
    !suffix.isEmpty && self.suffix(suffix.count).elementsEqual(suffix)
  }
}

extension BlobProof {
  /// Whether the registry gave this validator for the blob. The web server then reads the range from the
  /// bucket without it: S3 has another validator for the same bytes.
  package func isOf(_ validator: [UInt8]) -> Bool {
    fields.contains { field in
      ["etag", "last-modified"].contains(field.name.lowercased()) && field.value == validator
    }
  }
}

extension Presence? {
  fileprivate var isPresent: Bool {
    if case .present = self { true } else { false }
  }
}

extension Presence {
  fileprivate var wrongObject: WrongObject? {
    guard case .present(let blob, _) = self else { return nil }
    return WrongObject(size: blob.size, defect: blob.defect)
  }

  fileprivate var isUnreadable: Bool {
    if case .present(let blob, _) = self { blob.defect == .unreadable } else { false }
  }
}

extension Unproven {
  /// Whether upstream fails as a server, and says nothing about this client.
  fileprivate var isTrouble: Bool {
    switch self {
    case .unconnected, .unreachable, .unasked: true
    case .status(let status): status >= 500
    case .otherName, .page, .redirectElsewhere, .otherDigest: false
    }
  }
}
