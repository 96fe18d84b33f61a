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
  private let locations: Locations
  private let filler: Filler
  let frontServer: FrontServerKind
  let log: DecisionLog
  /// Threads that wait for upstream and S3.
  let asking: ThreadPool<HTTPClient>
  /// Threads that stream a body, each as slowly as its client.
  let streaming: ThreadPool<HTTPClient>

  init(_ settings: Settings, environment: [String: String], logger: Logger) {
    frontServer = settings.frontServer
    log = DecisionLog(logger: logger)
    locations = Locations(settings, environment: environment, report: log.wrongParams)
    filler = Filler(settings.fillLimits, observer: FillLog(logger: logger))
    asking = ThreadPool(
      name: "ask", threadLimit: settings.threads, queueLimit: settings.threads * 4
    ) { HTTPClient() }
    streaming = ThreadPool(name: "stream", threadLimit: settings.streamThreads, queueLimit: 0) {
      HTTPClient()
    }
  }

  func handle(_ request: Request) {
    guard let location = locations.location(of: request) else {
      return pass(request, nil, locations.standard, .wrongParams)
    }
    let blob = BlobRequest(request, isHostPreserved: location.settings.isHostPreserved)
    if request.isForAuthorizer { return authorize(request, blob, location) }
    guard !request.isLoop, request.role == .responder, let blob else {
      return pass(request, nil, location, .notABlobRequest)
    }
    if let decision = location.engine.decideAtOnce(blob) {
      return carryOut(decision, blob, request, location)
    }
    let isTaken = asking.submit { http in
      self.carryOut(location.engine.decide(blob, by: &http, now: .now()), blob, request, location)
    }
    if !isTaken { pass(request, blob, location, .busy) }
  }

  /// Waits for fills, once the responder has stopped.
  func stop(within limit: Duration) {
    asking.close()
    streaming.close()
    filler.stop(within: limit)
  }

  private func carryOut(
    _ decision: Decision, _ blob: BlobRequest, _ request: Request, _ location: Location
  ) {
    switch decision {
    case .pass(let reason): pass(request, blob, location, reason)
    case .answer(let proof, let size):
      log.decided("answer", blob)
      location.front.answer(request, proof, size: size, blob.path.digest)
    case .redirect(let url): redirect(request, blob, location, to: url)
    case .accelerate(let proof, let url): accelerate(request, blob, location, proof, url)
    case .fill(_, let size, let wrong):
      if let wrong { log.found(wrong, blob, want: size) }
      tee(request, blob, location, size: size, isReplacement: wrong != nil)
    }
  }

  /// Reads the blob for the client and the bucket at once.
  private func tee(
    _ request: Request, _ blob: BlobRequest, _ location: Location, size: Int64, isReplacement: Bool
  ) {
    guard location.settings.fill == .tee else { return pass(request, blob, location, .cold(.fillIsOff)) }
    guard blob.range == .whole else { return pass(request, blob, location, .cold(.range)) }
    guard let key = try? location.store.key(of: blob.path.digest) else {
      return pass(request, blob, location, .store("no key for this digest"))
    }
    let source = FillSource(
      request: location.settings.upstream.request(for: blob.path, from: blob.client),
      digest: blob.path.digest, size: size,
      bucket: location.store.bucket, key: key, isReplacement: isReplacement)
    guard let fill = filler.fill(source),
      streaming.submit({ _ in self.stream(fill, request, blob, location) })
    else {
      return pass(request, blob, location, .cold(.limit))
    }
  }

  /// Sends the client what comes in, at the client's own pace.
  private func stream(
    _ fill: BlobFill, _ request: Request, _ blob: BlobRequest, _ location: Location
  ) {
    guard let reader = fill.reader(within: location.settings.upstream.limits.head + .seconds(1))
    else {
      return pass(request, blob, location, .cold(.upstream(fill.failure?.description ?? "no answer in time")))
    }
    log.decided("tee", blob)
    location.front.begin(request, fields: reader.head.fields, size: reader.size, blob.path.digest)
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
