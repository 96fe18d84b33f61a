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
  private let askers = AskerHasher()
  private let pingAndToken: PingAndToken
  private let flights = Flights()
  private let areAnswersShared: Bool
  private let tee: Tee
  let frontServer: FrontServerKind
  let log: DecisionLog
  /// Threads that wait for upstream and S3.
  let asking: ThreadPool<HTTPClient>
  /// Threads that relay the registry's answers, each as slowly as its client.
  let relaying: ThreadPool<HTTPClient>

  init(_ settings: Settings, environment: [String: String], logger: Logger) {
    frontServer = settings.frontServer
    log = DecisionLog(logger: logger)
    locations = Locations(settings, environment: environment, report: log.wrongParams)
    tee = Tee(settings, logger: logger)
    pingAndToken = PingAndToken(memory: AnswerMemory(longest: settings.answerLife), askers: askers)
    // Who wants to be asked every time wants it for each request.
    areAnswersShared = settings.lives.proof > .zero
    asking = ThreadPool(
      name: "ask", threadLimit: settings.threads, queueLimit: settings.threads * 4
    ) { HTTPClient() }
    relaying = ThreadPool(name: "relay", threadLimit: settings.streamThreads, queueLimit: 0) {
      HTTPClient()
    }
  }

  /// On a reactor's thread: what memory can decide is decided here, the rest goes to threads that wait.
  func handle(_ request: Request) {
    guard let location = locations.location(of: request) else {
      return pass(request, nil, locations.standard, .wrongParams)
    }
    let isLoop = request.isLoop
    let blob = isLoop ? nil : BlobRequest(request, in: location, askers)
    if request.isForAuthorizer { return authorize(request, blob, location) }
    guard !isLoop else { return pass(request, nil, location, .loop) }
    guard request.role == .responder, let blob else { return handleOther(request, location) }
    let exchange = BlobExchange(request: request, blob: blob, location: location)
    if let decision = location.engine.decideAtOnce(blob, at: .now()) {
      carryOut(decision, exchange)
    } else {
      ask(exchange)
    }
  }

  /// The bucket of requests whose web server says nothing else.
  var bucket: BucketClient { locations.standard.store.bucket }

  /// Waits for fills, once the responder has stopped.
  func stop(within limit: Duration) {
    asking.close()
    relaying.close()
    tee.stop(within: limit)
  }

  /// A ping or a token, or something that is not ours.
  private func handleOther(_ request: Request, _ location: Location) {
    if CheckPage.answer(request) { return }
    guard !pingAndToken.memory.isOff, let kind = PingAndToken.Kind(request) else {
      return pass(request, nil, location, .notABlobRequest)
    }
    let key = pingAndToken.key(of: request, in: location)
    if let answer = pingAndToken.memory.answer(to: key, at: .now()) {
      return location.front.relay(request, answer)
    }
    let isTaken = asking.submit { [self] http in
      guard let answer = pingAndToken.ask(kind, request, in: location, by: &http) else {
        return pass(request, nil, location, .notRemembered)
      }
      location.front.relay(request, answer)
    }
    if !isTaken { pass(request, nil, location, .busy) }
  }

  private func ask(_ exchange: BlobExchange) {
    if areAnswersShared, flights.join(exchange) { return }
    let isTaken = asking.submit { [self] http in
      let client = ClientFields(exchange.request, in: exchange.location)
      let finding = exchange.location.engine.find(
        exchange.blob, for: client, credentialEnd: client.credentialEnd, by: &http, at: .now())
      land(exchange, finding)
    }
    guard !isTaken else { return }
    for exchange in [exchange] + others(than: exchange) {
      pass(exchange, .busy)
    }
  }

  private func land(_ exchange: BlobExchange, _ finding: Finding) {
    let now = Moment.now()
    for exchange in [exchange] + others(than: exchange) {
      carryOut(exchange.location.engine.decide(exchange.blob, by: finding, at: now), exchange)
    }
  }

  private func others(than exchange: BlobExchange) -> [BlobExchange] {
    areAnswersShared ? flights.land(exchange) : []
  }

  private func carryOut(_ decision: Decision, _ exchange: BlobExchange) {
    let (request, blob, location) = (exchange.request, exchange.blob, exchange.location)
    switch decision {
    case .pass(let reason): pass(exchange, reason)
    case .answer(let proof, let size):
      log.decided("answer", blob)
      location.front.answer(request, proof, size: size, blob.path.digest)
    case .redirect(let url): redirect(exchange, to: url)
    case .accelerate(let proof, let url): accelerate(exchange, proof, url)
    case .fill(_, let size, let wrong):
      if let wrong { log.found(wrong, blob, want: size) }
      tee.fill(exchange, size: size, isReplacement: wrong != nil) { reason in
        self.pass(exchange, reason)
      }
    }
  }
}
