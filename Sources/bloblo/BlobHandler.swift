import FastCGI
import Fill
import HTTPTransport
import Logging
import Offload
import Primitives
import Registry
import Threading

/// Turns a web server's request into a decision, and the decision into an answer.
final class BlobHandler: RequestHandler {
  private let locations: Locations
  private let askers = AskerHasher()
  private let pingAndToken: PingAndToken
  private let flights = Flights()
  private let areAnswersShared: Bool
  private let tee: Tee
  private let log: DecisionLog
  /// Threads that wait for upstream and S3.
  private let asking: ThreadPool<HTTPClient>

  init(_ settings: Settings, environment: [String: String], logger: Logger) {
    log = DecisionLog(logger: logger)
    locations = Locations(settings, environment: environment, report: log.wrongParams)
    tee = Tee(settings, logger: logger)
    pingAndToken = PingAndToken(memory: AnswerMemory(longest: settings.answerLife), askers: askers)
    // Who wants to be asked every time wants it for each request.
    areAnswersShared = settings.lives.proof > .zero
    asking = ThreadPool(
      name: "ask", threadLimit: settings.threads, queueLimit: settings.threads * 4
    ) { HTTPClient() }
  }

  /// On a reactor's thread: what memory can decide is decided here, the rest goes to threads that wait.
  func handle(_ request: Request) {
    guard let location = locations.location(of: request) else {
      return pass(request, nil, .wrongParams)
    }
    guard !request.isLoop else { return pass(request, nil, .loop) }
    guard let blob = BlobRequest(request, in: location, askers) else {
      return handleOther(request, location)
    }
    let exchange = BlobExchange(request: request, blob: blob, location: location)
    if let decision = location.engine.decideAtOnce(blob, at: .now()) {
      carryOut(decision, exchange)
    } else {
      ask(exchange)
    }
  }

  /// Waits for fills, once the responder has stopped.
  func stop(within limit: Duration) {
    asking.close()
    tee.stop(within: limit)
  }

  /// A ping or a token, or something that is not ours.
  private func handleOther(_ request: Request, _ location: Location) {
    guard !pingAndToken.memory.isOff, let kind = PingAndToken.Kind(request) else {
      return pass(request, nil, .notABlobRequest)
    }
    let key = pingAndToken.key(of: request, in: location)
    if let answer = pingAndToken.memory.answer(to: key, at: .now()) {
      return location.front.relay(request, answer)
    }
    let isTaken = asking.submit { [self] http in
      guard let answer = pingAndToken.ask(kind, request, in: location, by: &http) else {
        return pass(request, nil, .notRemembered)
      }
      location.front.relay(request, answer)
    }
    if !isTaken { pass(request, nil, .busy) }
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
      pass(exchange.request, exchange.blob, .busy)
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
    case .pass(let reason): pass(request, blob, reason)
    case .answer(let proof, let size):
      log.decided("answer", blob)
      location.front.answer(request, proof, size: size, blob.path.digest)
    case .redirect(let url):
      log.decided("redirect", blob)
      location.front.redirect(request, to: url, blob.path.digest)
    case .fill(_, let size, let wrong):
      if let wrong { log.found(wrong, blob, want: size) }
      tee.fill(exchange, size: size, isReplacement: wrong != nil) { reason in
        self.pass(request, blob, reason)
      }
    }
  }

  private func pass(_ request: Request, _ blob: BlobRequest?, _ reason: PassReason) {
    log.passed(blob, reason)
    locations.standard.front.pass(request)
  }
}
