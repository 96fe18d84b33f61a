import FastCGI
import Fill
import HTTPTransport
import Logging
import Offload
import Primitives
import Registry
import S3
import Threading

/// Turns a web server's request into a decision, and the decision into an answer.
final class BlobHandler: RequestHandler {
  private let settings: Settings
  private let engine: OffloadEngine
  private let store: S3BlobStore
  private let filler: Filler
  private let front: FrontServer
  private let log: DecisionLog
  /// Threads that wait for upstream and S3.
  private let asking: ThreadPool<HTTPClient>
  /// Threads that stream a body, each as slowly as its client.
  private let streaming: ThreadPool<Void>

  init(_ settings: Settings, logger: Logger) {
    self.settings = settings
    let signer = Signer(settings.credential, region: settings.bucket.region)
    let bucket = BucketClient(settings.bucket, signer: signer, limits: settings.s3Limits)
    store = S3BlobStore(
      bucket: bucket, template: settings.keyTemplate, presignLifetime: settings.presignLifetime)
    engine = OffloadEngine(upstream: settings.upstream, store: store, policy: settings.policy)
    filler = Filler(settings.fillLimits, observer: FillLog(logger: logger))
    front = FrontServer(redirectStatus: settings.redirectStatus)
    log = DecisionLog(logger: logger)
    asking = ThreadPool(
      name: "ask", threadLimit: settings.threads, queueLimit: settings.threads * 4
    ) { HTTPClient() }
    streaming = ThreadPool(name: "stream", threadLimit: settings.streamThreads, queueLimit: 0) {
      ()
    }
  }

  func handle(_ request: Request) {
    guard !request.isLoop,
      let blob = BlobRequest(request, isHostPreserved: settings.isHostPreserved)
    else {
      log.passed(nil, .notABlobRequest)
      return front.pass(request)
    }
    if let decision = engine.decideAtOnce(blob) { return carryOut(decision, blob, request) }
    let isTaken = asking.submit { http in
      self.carryOut(self.engine.decide(blob, by: &http, now: .now()), blob, request)
    }
    if !isTaken { pass(request, blob, .busy) }
  }

  /// Waits for fills, once the responder has stopped.
  func stop(within limit: Duration) {
    asking.close()
    streaming.close()
    filler.stop(within: limit)
  }

  private func carryOut(_ decision: Decision, _ blob: BlobRequest, _ request: Request) {
    switch decision {
    case .pass(let reason): pass(request, blob, reason)
    case .answer(let proof, let size):
      log.decided("answer", blob)
      front.answer(request, proof, size: size, blob.path.digest)
    case .redirect(let location):
      log.decided("redirect", blob)
      front.redirect(request, to: location, blob.path.digest)
    case .fill(_, let size, let wrong):
      if let wrong { log.found(wrong, blob, want: size) }
      tee(request, blob, size: size, isReplacement: wrong != nil)
    }
  }

  private func pass(_ request: Request, _ blob: BlobRequest, _ reason: PassReason) {
    log.passed(blob, reason)
    front.pass(request)
  }

  /// Reads the blob for the client and the bucket at once.
  private func tee(_ request: Request, _ blob: BlobRequest, size: Int64, isReplacement: Bool) {
    guard settings.fill == .tee else { return pass(request, blob, .cold(.fillIsOff)) }
    guard blob.range == .whole else { return pass(request, blob, .cold(.range)) }
    guard let key = try? store.key(of: blob.path.digest) else {
      return pass(request, blob, .store("no key for this digest"))
    }
    let source = FillSource(
      request: settings.upstream.request(for: blob.path, from: blob.client),
      digest: blob.path.digest, size: size,
      bucket: store.bucket, key: key, isReplacement: isReplacement)
    guard let fill = filler.fill(source),
      streaming.submit({ _ in self.stream(fill, request, blob) })
    else {
      return pass(request, blob, .cold(.limit))
    }
  }

  /// Sends the client what comes in, at the client's own pace.
  private func stream(_ fill: BlobFill, _ request: Request, _ blob: BlobRequest) {
    guard let reader = fill.reader(within: settings.upstream.limits.head + .seconds(1)) else {
      return pass(request, blob, .cold(.upstream(fill.failure?.description ?? "no answer in time")))
    }
    log.decided("tee", blob)
    front.begin(request, fields: reader.head.fields, size: reader.size, blob.path.digest)
    var offset: Int64 = 0
    while offset < reader.size {
      let isGood: Bool
      switch reader.progress(beyond: offset, within: .seconds(2)) {
      case .available(let end):
        isGood = request.send(file: reader.descriptor, offset: offset, count: end - offset)
        offset = end
      case .waiting: isGood = request.keepAlive()
      case .broken: isGood = false
      }
      guard isGood else {
        log.brokenOff(blob, after: offset, of: reader.size)
        return request.abort()
      }
    }
    request.finish()
  }
}
