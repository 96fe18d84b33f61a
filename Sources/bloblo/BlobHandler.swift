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
  let filler: Filler
  let log: DecisionLog
  /// Threads that wait for upstream and S3.
  private let asking: ThreadPool<HTTPClient>
  /// Threads that stream a body, each as slowly as its client.
  let streaming: ThreadPool<Void>

  init(_ settings: Settings, environment: [String: String], logger: Logger) {
    log = DecisionLog(logger: logger)
    locations = Locations(settings, environment: environment, report: log.wrongParams)
    filler = Filler(settings.fillLimits, observer: FillLog(logger: logger))
    asking = ThreadPool(
      name: "ask", threadLimit: settings.threads, queueLimit: settings.threads * 4
    ) { HTTPClient() }
    streaming = ThreadPool(name: "stream", threadLimit: settings.streamThreads, queueLimit: 0) {
      ()
    }
  }

  func handle(_ request: Request) {
    guard let location = locations.location(of: request) else {
      return pass(request, nil, .wrongParams)
    }
    guard !request.isLoop,
      let blob = BlobRequest(request, isHostPreserved: location.settings.isHostPreserved)
    else { return pass(request, nil, .notABlobRequest) }
    if let decision = location.engine.decideAtOnce(blob) {
      return carryOut(decision, blob, request, location)
    }
    let isTaken = asking.submit { http in
      self.carryOut(location.engine.decide(blob, by: &http, now: .now()), blob, request, location)
    }
    if !isTaken { pass(request, blob, .busy) }
  }

  /// The bucket of requests whose web server says nothing else.
  var bucket: BucketClient { locations.standard.store.bucket }

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
    case .pass(let reason): pass(request, blob, reason)
    case .answer(let proof, let size):
      log.decided("answer", blob)
      location.front.answer(request, proof, size: size, blob.path.digest)
    case .redirect(let url):
      log.decided("redirect", blob)
      location.front.redirect(request, to: url, blob.path.digest)
    case .fill(_, let size, let wrong):
      if let wrong { log.found(wrong, blob, want: size) }
      fill(request, blob, location, size: size, isReplacement: wrong != nil)
    }
  }

  func pass(_ request: Request, _ blob: BlobRequest?, _ reason: PassReason) {
    log.passed(blob, reason)
    locations.standard.front.pass(request)
  }
}
