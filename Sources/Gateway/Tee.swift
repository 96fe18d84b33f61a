internal import FastCGI
package import Fill
internal import HTTPTransport
internal import Logging
internal import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Store
internal import Telemetry
internal import Threading

/// Sends a client a blob that the bucket lacks, and puts the blob into the bucket by the same reading.
package final class Tee: Sendable {
  package let filler: Filler
  private let recorder: RequestRecorder
  private let passer: Passer
  private let loop: EventLoop

  init(
    _ settings: ProcessSettings, logger: Logger, recorder: RequestRecorder, passer: Passer,
    on loop: EventLoop
  ) {
    filler = Filler(
      settings.fillLimits, observer: FillLog(logger, recorder))
    self.recorder = recorder
    self.passer = passer
    self.loop = loop
  }

  /// How a request goes on.
  enum Outcome {
    /// The client gets the blob from the fill, or the registry's answer.
    case isAnswered
    /// The blob is in the bucket now: the decision has to be made again.
    case isPublished
  }

  /// - Parameter size: `nil` when the registry states it only when it is read.
  func fill(
    _ exchange: BlobExchange, _ proof: BlobProof, size: Int64?, isReplacement: Bool
  ) -> Outcome {
    let location = exchange.location
    var mode = location.settings.fill
    if mode == .tee, exchange.request.hasEndlessCuts { mode = .background }
    if mode == .off { return pass(exchange, .cold(.fillIsOff)) }
    if let host = location.unfollowed.host(of: exchange.blob.path.name, at: .now()) {
      return pass(exchange, .cold(.redirect(host)))
    }
    guard let source = source(exchange, size: size, isReplacement: isReplacement) else {
      return pass(exchange, .store("no key for this digest"))
    }
    if exchange.blob.range == .several {
      return pass(exchange, .cold(queueForRange(source, exchange)))
    }
    let wanted = WantedBytes(exchange, proof)
    switch (mode, wanted) {
    case (.background, .part): return pass(exchange, .cold(queueForRange(source, exchange)))
    case (.background, _): return pass(exchange, .cold(queue(source) ? .background : .limit))
    case (_, .part(let range)): return cut(range, from: source, for: exchange)
    default: return readAlong(source, wanted: wanted, for: exchange)
    }
  }

  private func pass(_ exchange: BlobExchange, _ reason: PassReason) -> Outcome {
    passer.pass(exchange, because: reason)
    return .isAnswered
  }

  /// Whether a fill runs that this client could read along with.
  func isFilling(_ exchange: BlobExchange) -> Bool {
    guard !filler.isIdle, exchange.location.settings.fill == .tee,
      exchange.blob.method == .get, exchange.blob.range != .several,
      !exchange.request.hasEndlessCuts,
      let source = source(exchange, size: nil, isReplacement: false)
    else { return false }
    return filler.isRunning(source)
  }

  /// Has a client read along with the fill of its blob.
  ///
  /// - Returns: whether one runs.
  func join(_ exchange: BlobExchange, _ proof: BlobProof) -> Bool {
    guard let source = source(exchange, size: proof.size, isReplacement: false),
      case .follower(let follower) = filler.join(source)
    else { return false }
    _ = stream(follower, wanted: WantedBytes(exchange, proof), for: exchange)
    return true
  }

  /// Queues a fill without a proof, since no connection or thread was free to ask for one. The registry's answer to
  /// the client's own credential decides whether the fill reads anything.
  func fillLater(_ exchange: BlobExchange) {
    guard exchange.location.settings.fill != .off, exchange.blob.method == .get,
      exchange.blob.range == .whole,
      exchange.location.unfollowed.host(of: exchange.blob.path.name, at: .now()) == nil,
      let source = source(exchange, size: nil, isReplacement: false)
    else { return }
    _ = queue(source)
  }

  /// Asks the storage for the size of a blob whose object can't be told from a wrong one without it.
  func learnSize(_ exchange: BlobExchange) {
    let (location, digest) = (exchange.location, exchange.blob.path.digest)
    guard location.unfollowed.host(of: exchange.blob.path.name, at: .now()) == nil,
      let source = source(exchange, size: nil, isReplacement: false)
    else { return }
    filler.learnSize(source) { size in
      location.engine.learn(size: size, of: digest)
    }
  }

  /// Waits until fills have ended. Called when no more requests come.
  func stop(within limit: Duration) {
    filler.stop(within: limit)
  }

  private func source(_ exchange: BlobExchange, size: Int64?, isReplacement: Bool) -> FillSource? {
    let (blob, location) = (exchange.blob, exchange.location)
    guard let key = try? location.store.key(of: blob.path.digest) else { return nil }
    let client = ClientFields(
      exchange.request, in: location, exchange.id ?? RequestID(exchange.request))
    var source = FillSource(
      request: location.settings.upstream.request(for: blob.path, from: client),
      registry: location.settings.upstream.url, hosts: location.settings.followedHosts,
      digest: blob.path.digest, size: size, bucket: location.store.bucket(for: blob.path.name),
      key: key, isReplacement: isReplacement, credentialEnd: client.credentialEnd
    ) { result in
      switch result {
      case .success(let size):
        location.engine.learn(size: size, of: blob.path.digest)
        location.engine.remember(
          StoredBlob(size: size, isProven: true), of: blob.path.digest, in: location.id, at: .now())
      case .failure(.notFollowed(let refusal)):
        location.unfollowed.note(refusal, of: blob.path.name, at: .now())
      case .failure: break
      }
    }
    source.isMissedAfterFill = exchange.isAskedAgain
    return source
  }

  private func queue(_ source: FillSource) -> Bool { filler.queue(source) }

  private func queueForRange(_ source: FillSource, _ exchange: BlobExchange) -> ColdReason {
    guard exchange.location.settings.fillRanges.allows(source.size) else { return .range }
    return queue(source) ? .background : .limit
  }

  /// The client reads along with the fill that runs, or with a new one.
  private func readAlong(
    _ source: FillSource, wanted: WantedBytes, for exchange: BlobExchange
  ) -> Outcome {
    switch filler.follow(source) {
    case .follower(let follower): return stream(follower, wanted: wanted, for: exchange)
    case .published: return .isPublished
    case .standsStill:
      return pass(exchange, .cold(.upstream("the fill of this blob makes no progress")))
    case .none:
      _ = queue(source)
      return pass(exchange, .cold(.limit))
    }
  }

  /// Cuts a range from the fill that runs. If none runs, queues one for later requests.
  private func cut(
    _ range: ByteRange, from source: FillSource, for exchange: BlobExchange
  ) -> Outcome {
    switch filler.join(source) {
    case .follower(let follower): stream(follower, wanted: .part(range), for: exchange)
    case .published: .isPublished
    case .standsStill: pass(exchange, .cold(.upstream("the fill of this blob makes no progress")))
    case .none: pass(exchange, .cold(queueForRange(source, exchange)))
    }
  }

  /// Sends the client what comes in, at the client's own pace.
  private func stream(
    _ follower: FillFollower, wanted: WantedBytes, for exchange: BlobExchange
  ) -> Outcome {
    TeeStream(follower, wanted: wanted, for: exchange, recorder: recorder, passer: passer, on: loop)
      .start(within: exchange.location.settings.upstream.limits.head + .seconds(1))
    return .isAnswered
  }
}
