package import HTTPTransport
package import Primitives
package import Registry

/// Decides what becomes of a request, by what is remembered, and else by asking upstream and the bucket.
///
/// The order is that of docs/requests.md: parse (done: there is a `BlobRequest`), proof, HEAD, presence, redirect or
/// fill. Doubt, at any step, is a pass.
package struct OffloadEngine: Sendable {
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
  private let memories: Memories
  private let sizes = SizeMemory()
  private let upstreamBreaker = Breaker()
  private let storeBreaker = Breaker()

  package init(
    upstream: any ProofSource, store: any BlobStore, policy: Policy = Policy(),
    memories: Memories = Memories(Memories.Lives())
  ) {
    self.upstream = upstream
    self.store = store
    self.policy = policy
    self.memories = memories
  }

  /// What can be decided without asking anyone; `nil` when someone must be asked. Never waits.
  package func decideAtOnce(_ request: BlobRequest, at now: Moment) -> Decision? {
    if policy.delivery == .pass { return .pass(.delivery) }
    if request.isConditional { return .pass(.conditional) }
    switch (request.method, request.range) {
    case (_, .other), (.head, .single), (.head, .several): return .pass(.range)
    case (.get, .whole), (.get, .single), (.get, .several), (.head, .whole): break
    }
    // Without the bucket a GET comes to nothing: upstream need not be asked twice.
    if request.method == .get, storeBreaker.isResting(at: now.steady) {
      return .pass(.store("it did not answer; it is left alone for some seconds"))
    }
    // A client decides by a HEAD whether it must push: only the registry's answer of now is good enough.
    guard request.method == .get,
      let proof = memories.proofs.proof(for: request.question, at: now)
    else { return nil }
    return decideAtOnce(request, proof, at: now)
  }

  /// Whether only the bucket must be asked: an upstream that stalls is no reason to make such a request
  /// wait with those that it stalls.
  package func isProven(_ request: BlobRequest, at now: Moment) -> Bool {
    request.method == .get && memories.proofs.isProven(request.question, at: now)
  }

  /// Whether the request may wait for the answer to an equal one that was asked before.
  ///
  /// Not a HEAD, and not just after a deletion: that question may be from before it.
  package func mayShareAnswer(_ request: BlobRequest, at now: Moment) -> Bool {
    memories.lives.proof > .zero && request.method == .get
      && !memories.proofs.isDeletedLately(request.question, at: now)
  }

  private func decideAtOnce(
    _ request: BlobRequest, _ proof: BlobProof, at now: Moment
  ) -> Decision? {
    if let decision = decideWithoutStore(request, proof) { return decision }
    let proof = sizes.complete(proof, for: request)
    guard
      case .present(let blob, let url)? = memories.presence(
        of: request.path.digest, in: request.question.location, at: now),
      isRight(blob, proof, request),
      // A signed URL leads nowhere while the bucket is down: once a second a request asks.
      !storeBreaker.isSilent(at: now.steady)
    else { return nil }
    if let url, now.unix < url.reusableUntil { return deliver(request, proof, url.bytes, blob) }
    return sign(request, proof, blob, at: now)
  }

  /// Asks whoever must be asked, and waits for them.
  ///
  /// - Parameters:
  ///   - client: what goes upstream with the question.
  ///   - credentialEnd: when the client's credential ends, if it says so.
  package func find(
    _ request: BlobRequest, for client: ClientFields, credentialEnd: @autoclosure () -> UnixTime?,
    by http: inout HTTPClient, at now: Moment
  ) -> Finding {
    var trace = Trace()
    let proof: BlobProof
    do throws(Unproven) {
      proof = try prove(request, client, credentialEnd, &http, now, &trace)
    } catch {
      return Finding(answer: .unproven(error), store: .unasked, trace: trace)
    }
    trace.size = proof.size
    if decideWithoutStore(request, proof) != nil {
      return Finding(answer: .proven(proof), store: .unasked, trace: trace)
    }
    let store = look(request, &http, now, &trace)
    return Finding(answer: .proven(proof), store: store, trace: trace)
  }

  /// Decides by what was found.
  package func decide(_ request: BlobRequest, by finding: Finding, at now: Moment) -> Decision {
    let proof: BlobProof
    switch finding.answer {
    case .unproven(let why): return .pass(.unproven(why))
    case .proven(let found): proof = sizes.complete(found, for: request)
    }
    if let decision = decideWithoutStore(request, proof) { return decision }
    switch finding.store {
    case .unasked: return .pass(.busy)
    case .failed(let words): return .pass(.store(words))
    case .denied(let words): return .pass(.storeDenied(words))
    case .presence(.present(let blob, let url)) where isRight(blob, proof, request):
      if let url, now.unix < url.reusableUntil { return deliver(request, proof, url.bytes, blob) }
      return sign(request, proof, blob, at: now)
    case .presence(let presence):
      if case .present = presence, proof.size == nil {
        return .pass(.unknownSize)
      }
      return .fill(proof, size: proof.size, replacing: presence.wrongObject)
    }
  }

  /// A blob's size in bytes, if it is remembered; for the figures.
  package func knownSize(of request: BlobRequest) -> Int64? {
    memories.knownSize(of: request.question, at: .now())
  }

  /// A blob's size has been learnt: it never changes.
  package func learn(size: Int64, of digest: Digest) { sizes.learn(size, of: digest) }

  /// Whether the object may be given for the blob: one of the right size, or without a known size one that is
  /// proven, or that the registry itself leads to.
  private func isRight(_ blob: StoredBlob, _ proof: BlobProof, _ request: BlobRequest) -> Bool {
    if let size = proof.size { return size == blob.size }
    return blob.isProven
      || proof.target.map { store.isObject($0, of: request.path.digest) } ?? false
  }

  /// A blob has just come into the bucket.
  package func remember(
    _ blob: StoredBlob, of digest: Digest, in location: LocationID, at now: Moment
  ) {
    memories.keep(.present(blob, nil), of: digest, in: location, at: now)
  }

  /// A blob has come into the bucket, for whichever location: that it was not there is true no more.
  package func forgetAbsence(of digest: Digest, in location: LocationID, at now: Moment) {
    guard case .absent? = memories.presence(of: digest, in: location, at: now) else { return }
    memories.forgetPresence(of: digest, in: location)
  }

  private func decideWithoutStore(_ request: BlobRequest, _ proof: BlobProof) -> Decision? {
    if request.method == .head {
      return proof.size.map { .answer(proof, size: $0) } ?? .pass(.unknownSize)
    }
    if let size = proof.size, size < policy.minimumBlobSize { return .pass(.smallBlob) }
    return nil
  }

  private func sign(
    _ request: BlobRequest, _ proof: BlobProof, _ blob: StoredBlob, at now: Moment
  ) -> Decision {
    do {
      let url = try store.presign(request.path.digest, now: now.unix)
      memories.keep(
        .present(blob, url), of: request.path.digest, in: request.question.location, at: now)
      return deliver(request, proof, url.bytes, blob)
    } catch {
      return .pass(.store(error.description))
    }
  }

  private func deliver(
    _ request: BlobRequest, _ proof: BlobProof, _ url: [UInt8], _ blob: StoredBlob
  ) -> Decision {
    // The registry answers with the whole blob then, and S3 would with the range.
    if request.range != .whole, let validator = request.ifRange, !proof.isOf(validator) {
      return .pass(.otherValidator)
    }
    if request.range == .several { return .multipart(proof, size: blob.size) }
    guard policy.delivery == .accelerate else {
      return .redirect(location: url, size: blob.size)
    }
    return .accelerate(proof, url: url, size: blob.size)
  }

  // MARK: asking

  private func prove(
    _ request: BlobRequest, _ client: ClientFields, _ credentialEnd: () -> UnixTime?,
    _ http: inout HTTPClient, _ now: Moment, _ trace: inout Trace
  ) throws(Unproven) -> BlobProof {
    let question = request.question
    if request.method == .get,
      let known = memories.proofs.proof(for: question, at: now)
    {
      return known
    }
    guard !upstreamBreaker.isOpen(at: now.steady) else {
      return try staleProof(
        request, now, or: .unreachable("it did not answer; it is left alone for some seconds"))
    }
    do throws(Unproven) {
      let start = ContinuousClock.now
      defer { trace.upstreamTime = ContinuousClock.now - start }
      let proof = try upstream.prove(question.path, for: client, by: &http)
      trace.upstreamStatus = proof.status
      upstreamBreaker.record(isSuccess: true, at: now.steady)
      memories.proofs.keep(proof, for: question, credentialEnd: credentialEnd(), at: now)
      return proof
    } catch {
      trace.upstreamStatus = error.status
      guard error.isTrouble else {
        upstreamBreaker.record(isSuccess: true, at: now.steady)
        memories.proofs.forget(question, error, at: now)
        throw error
      }
      upstreamBreaker.record(isSuccess: false, at: Moment.now().steady)
      return try staleProof(request, now, or: error)
    }
  }

  /// What was proved before, and may serve while upstream is in trouble; for a HEAD only where
  /// `BLOBLO_PROOF_STALE` says so.
  private func staleProof(
    _ request: BlobRequest, _ now: Moment, or error: Unproven
  ) throws(Unproven) -> BlobProof {
    guard request.method == .get || memories.lives.staleProof > .zero,
      let stale = memories.proofs.proof(for: request.question, at: now, isStaleGood: true)
    else { throw error }
    return stale
  }

  private func look(
    _ request: BlobRequest, _ http: inout HTTPClient, _ now: Moment, _ trace: inout Trace
  ) -> Finding.Store {
    let (digest, location) = (request.path.digest, request.question.location)
    let known = memories.presence(of: digest, in: location, at: now)
    if let known, !storeBreaker.takeSilence(at: now.steady) {
      trace.isPresenceRemembered = true
      return .presence(known)
    }
    guard !storeBreaker.isOpen(at: now.steady) else {
      return .failed("it did not answer; it is left alone for some seconds")
    }
    let start = ContinuousClock.now
    defer { trace.storeTime = ContinuousClock.now - start }
    do {
      let blob = try store.find(digest, by: &http, now: now.unix)
      storeBreaker.record(isSuccess: true, at: now.steady)
      // A fill may have published it since S3 looked.
      if blob == nil, known == nil,
        let newer = memories.newPresence(of: digest, in: location, at: now)
      {
        return .presence(newer)
      }
      var presence = blob.map { Presence.present($0, nil) } ?? .absent
      // Equal requests get equal URLs.
      if case .present(let before, _)? = known, before.size == blob?.size, let known {
        presence = known
      }
      memories.keep(presence, of: digest, in: location, at: now)
      return .presence(presence)
    } catch {
      if error.isDenial, known.isPresent { memories.forgetPresence(of: digest, in: location) }
      // S3 denies also what is merely absent; of what was there it denies the reading.
      guard error.isDenial, !known.isPresent else {
        storeBreaker.record(isSuccess: false, at: Moment.now().steady)
        return .failed(error.description)
      }
      storeBreaker.recordSilentAnswer()
      return .denied(error.description)
    }
  }
}

/// How a blob that is in the bucket gets to the client.
package enum Delivery: String, Sendable, CaseIterable {
  case redirect
  case accelerate
  case pass
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
    if case .present(let blob, _) = self { WrongObject(size: blob.size) } else { nil }
  }
}

extension Unproven {
  /// Whether upstream is in trouble, and has not said anything about this client.
  fileprivate var isTrouble: Bool {
    switch self {
    case .unreachable: true
    case .status(let status): status >= 500
    case .otherName, .page, .redirectElsewhere, .otherDigest: false
    }
  }
}
