import FastCGI
import Fill
import HTTPTransport
import Logging
import Offload
import Primitives
import Registry
import Threading

/// Gives a client a blob that is not in the bucket yet, and puts it there in the same reading.
final class Tee: Sendable {
  /// A client that leaves is told to have had what it had, give or take one of these.
  private static let pieceBytes: Int64 = 1 << 20

  let filler: Filler
  private let ledger: Ledger
  /// Threads that stream a body, each as slowly as its client.
  let streaming: ThreadPool<Void>

  init(_ settings: Settings, _ logger: Logger, _ ledger: Ledger) {
    filler = Filler(
      settings.fillLimits, observer: FillLog(logger: logger, figures: ledger.figures))
    self.ledger = ledger
    streaming = ThreadPool(name: "stream", threadLimit: settings.streamThreads, queueLimit: 0) {
      ()
    }
  }

  /// - Parameters:
  ///   - pass: called when the registry must answer; the client has seen nothing then.
  ///   - askAgain: called when the blob has come into the bucket since it was found absent.
  func fill(
    _ exchange: BlobExchange, size: Int64, isReplacement: Bool,
    orPass pass: @escaping @Sendable (PassReason) -> Void,
    orAskAgain askAgain: @escaping @Sendable () -> Void
  ) {
    let (blob, location) = (exchange.blob, exchange.location)
    var mode = location.settings.fill
    if mode == .tee, exchange.request.hasEndlessCuts { mode = .background }
    if mode == .off { return pass(.cold(.fillIsOff)) }
    if mode == .tee, blob.range != .whole { return pass(.cold(.range)) }
    guard let key = try? location.store.key(of: blob.path.digest) else {
      return pass(.store("no key for this digest"))
    }
    let source = FillSource(
      request: location.settings.upstream.request(
        for: blob.path,
        from: ClientFields(
          exchange.request, in: location, exchange.id ?? RequestID(exchange.request))),
      registry: location.settings.upstream.url,
      digest: blob.path.digest, size: size, bucket: location.store.bucket(for: blob.path.name),
      key: key,
      isReplacement: isReplacement
    ) { size in
      location.engine.remember(
        StoredBlob(size: size), of: blob.path.digest, in: location.id, at: .now())
    }
    if mode == .background { return pass(.cold(filler.queue(source) ? .background : .limit)) }
    // The client's place comes first: a fill that is begun for a client that is passed on then would read
    // upstream a second time.
    let hasPlace = streaming.submit { [self] _ in
      switch filler.follow(source) {
      case .follower(let follower): stream(follower, exchange, orPass: pass)
      case .published: askAgain()
      case .standsStill: pass(.cold(.upstream("the reading of it stands still")))
      case .none: pass(.cold(.limit))
      }
    }
    if !hasPlace { pass(.cold(.limit)) }
  }

  /// Waits for fills, once no more requests come.
  func stop(within limit: Duration) {
    streaming.close()
    filler.stop(within: limit)
  }

  /// Sends the client what comes in, at the client's own pace.
  private func stream(
    _ follower: FillFollower, _ exchange: BlobExchange, orPass pass: (PassReason) -> Void
  ) {
    let (request, blob, location) = (exchange.request, exchange.blob, exchange.location)
    guard let reader = follower.reader(within: location.settings.upstream.limits.head + .seconds(1))
    else {
      return pass(.cold(.upstream(follower.failure?.description ?? "no answer in time")))
    }
    let line = ledger.begin(.tee, exchange, size: reader.size)
    location.front.begin(request, fields: reader.head.fields, size: reader.size, blob.path.digest)
    var offset: Int64 = 0
    while offset < reader.size {
      let isGood: Bool
      switch reader.progress(beyond: offset, within: .seconds(2)) {
      case .available(let end):
        let count = min(end - offset, Self.pieceBytes)
        isGood = request.send(
          file: reader.descriptor, nil, offset: offset, count: count)
        if isGood { offset += count }
      case .waiting: isGood = request.keepAlive()
      case .broken: isGood = false
      }
      guard isGood else {
        ledger.end(line, by: .teed, bytes: offset)
        ledger.log.brokenOff(blob, after: offset, of: reader.size)
        return request.abort()
      }
    }
    ledger.end(line, by: .teed, bytes: offset)
    request.finish()
  }
}
