package import FastCGI
internal import Fill
internal import HTTPTransport
internal import Logging
internal import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Telemetry
internal import Threading

/// Turns a web server's request into a decision, and the decision into an answer.
package final class BlobHandler: RequestHandler {
  let locations: Locations
  let fingerprinter: Fingerprinter
  let pingAndToken: PingAndToken
  private let queries = RequestCoalescer<AccessQuery, BlobExchange>()
  /// Requests that wait until their location's settings are read.
  private let newLocations = RequestCoalescer<[UInt8], Request>()
  private let looks = RequestCoalescer<BlobKey, BlobExchange>()
  private let repositories = RepositoryCoalescer()
  private let tokenEnds = TokenEnds()
  let tee: Tee
  private let severalRanges: SeveralRanges
  let notices: Notices
  private let passAlarm: PassAlarm
  let offloading: OffloadSwitch
  let purges: Purges
  private let frontFiles: FrontFiles
  let unread: UnreadReports
  let frontServer: WebServer
  let recorder: RequestRecorder
  /// The loop on whose thread alone requests are handled.
  let loop: EventLoop
  /// Asks upstream for proofs. A request that waits for one is a state and costs no thread.
  let upstream: QuestionClient
  /// Threads that wait for the registry's answers to pings and token requests.
  let asking: ThreadPool<HTTPClient>
  /// Threads that wait for S3: one look for all who need it.
  let looking: FairPool<HTTPClient>
  let passer: Passer

  /// The routes of operators and commands, tried in this order.
  let routes: [any Route]

  package init(_ services: GatewayServices, routes: [any Route]) {
    loop = services.loop
    locations = services.locations
    fingerprinter = services.fingerprinter
    pingAndToken = services.pingAndToken
    tee = services.tee
    severalRanges = services.severalRanges
    notices = services.notices
    passAlarm = services.passAlarm
    offloading = services.offloading
    purges = services.purges
    frontFiles = services.frontFiles
    frontServer = services.frontServer
    recorder = services.recorder
    upstream = services.upstream
    asking = services.asking
    looking = services.looking
    passer = services.passer
    unread = UnreadReports(
      locations: services.locations, recorder: services.recorder, notices: services.notices)
    self.routes = routes
  }

  /// Does what is due every few seconds, whether requests come or not.
  package func tick() {
    let now = Moment.now()
    recorder.log.tellRepeated(at: now)
    frontFiles.tick(at: now)
    unread.tick(at: now)
    purges.tick(at: now)
    passAlarm.look(at: locations.all, now: now)
    tellDroppedLines()
    tee.filler.dropStaleCredentials()
  }

  private func tellDroppedLines() {
    let count = LogSink.standardError.takeDropped()
    guard count > 0 else { return notices.lower(.droppedLogLines) }
    notices.raise(
      .droppedLogLines,
      "\(count) log lines were dropped in the last seconds: the reader of the error stream is slow or has stopped."
    )
  }

  /// Runs on the loop's thread. Decides at once if memory can; any other request waits as a state.
  package func handle(_ request: Request) {
    let stopwatch = recorder.metrics.isTimed() ? Stopwatch() : nil
    frontFiles.look(at: request)
    switch locations.find(of: request) {
    case .known(let location): handle(request, at: location, stopwatch)
    case .unknown(let params): makeLocation(of: params, for: request)
    }
  }

  /// Another thread reads the settings of new params; the request waits for them as a state.
  private func makeLocation(of params: [UInt8], for request: Request) {
    if newLocations.join(request, params) { return }
    let isTaken = looking.submit { [self] _ in
      let location = locations.make(of: params)
      loop.submit { [self] in
        for waiting in [request] + newLocations.complete(params) {
          handle(waiting, at: location, nil)
        }
      }
    }
    guard !isTaken else { return }
    // No other location's registry may answer in its place.
    for waiting in [request] + newLocations.complete(params) {
      waiting.refuse(503, "too many requests at a time: BLOBLO_THREADS")
    }
  }

  /// - Parameter location: `nil` when the request's params are wrong.
  private func handle(_ request: Request, at location: Location?, _ stopwatch: Stopwatch?) {
    guard let location else { return pass(request, in: locations.standard, because: .wrongParams) }
    if request.isForAuthorizer { return authorize(request, location) }
    guard !request.isLoop else { return pass(request, in: location, because: .loop) }
    guard request.role == .responder,
      let blob = BlobRequest(request, in: location, fingerprinter)
    else {
      if let deletion = BlobDeletion(request) {
        return delete(deletion, for: request, in: location)
      }
      return handleOther(request, location)
    }
    guard !request.hasBody else { return pass(request, in: location, because: .requestBody) }
    let exchange = BlobExchange(
      request: request, blob: blob, location: location, stopwatch: stopwatch)
    if offloading.isOff { return pass(exchange, .switchedOff) }
    decide(exchange)
  }

  /// Waits for fills, once the responder has stopped.
  package func stop(within limit: Duration) {
    asking.close()
    looking.close()
    passer.relaying.close()
    severalRanges.pool.close()
    tee.stop(within: limit)
  }

  /// Decides by what is remembered, or asks for what is not.
  private func decide(_ exchange: BlobExchange) {
    switch exchange.location.engine.recollect(exchange.blob, at: .now()) {
    case .decision(let decision): carryOut(decision, exchange)
    case .open(let known): goOn(exchange, by: known)
    }
  }

  /// Asks the servers, and goes on with their answers.
  ///
  /// - Parameter known: what is remembered in place of upstream's answer.
  func goOn(_ exchange: consuming BlobExchange, by known: LookupResult?) {
    if exchange.stopwatch == nil { exchange.stopwatch = Stopwatch() }
    let id = RequestID(exchange.request)
    exchange.id = id
    if let known { settle(exchange, known) } else { ask(exchange, id) }
  }

  private func ask(_ exchange: consuming BlobExchange, _ id: RequestID) {
    let (engine, query) = (exchange.location.engine, exchange.blob.query)
    exchange.isAskedForOthers = false
    exchange.led = []
    if engine.mayShareAnswer(exchange.blob, at: .now()) {
      if engine.areRepositoriesProved, !exchange.isAskedAlone {
        if queries.joinIfAsked(exchange, query) { return }
        let isReader = engine.isReader(exchange.blob, at: .now())
        guard let led = repositories.join(exchange, isReader: isReader) else { return }
        exchange.led = led
      }
      if queries.join(exchange, query) { return }
      exchange.isAskedForOthers = true
    }
    let now = Moment.now()
    if let lookup = engine.answerForUpstream(exchange.blob, at: now) {
      return share(exchange, lookup)
    }
    let (request, location) = (exchange.request, exchange.location)
    let isShared = exchange.isAskedForOthers
    func isWanted() -> Bool { isShared || !request.isGone }
    func client() -> ClientFields { ClientFields(request, in: location, id) }
    let fields = client()
    let credentialEnd = tokenEnds.end(of: fields, query.fingerprint)
    let start = ContinuousClock.now
    location.settings.upstream.prove(
      exchange.blob.path, for: fields, renewed: client, by: upstream, isWanted: isWanted
    ) { [self, exchange] answer in
      let lookup = engine.learn(
        answer, of: exchange.blob, after: ContinuousClock.now - start,
        credentialEnd: credentialEnd, at: now)
      recorder.asked(lookup.trace)
      share(exchange, lookup)
    }
  }

  /// Goes on with all requests that waited for upstream's answer.
  private func share(_ exchange: consuming BlobExchange, _ lookup: LookupResult) {
    let (query, led) = (exchange.blob.query, exchange.led)
    let others = exchange.isAskedForOthers ? queries.complete(query) : []
    // All want the same blob, so one look serves them all.
    settle(exchange, lookup)
    for other in others { settle(other, lookup) }
    // These wait for what the answer says about the repository. A refusal says nothing to them, nor does a proof that
    // can't be remembered.
    for var waiting in repositories.complete(led, of: query) {
      let engine = waiting.location.engine
      waiting.isAskedAlone = !lookup.isProven || !engine.isReader(waiting.blob, at: .now())
      decide(waiting)
    }
  }

  private func settle(_ exchange: consuming BlobExchange, _ lookup: LookupResult) {
    exchange.lookup = lookup
    if let looker = concludeOrJoin(exchange) { lookLater(looker) }
  }

  private func lookLater(_ exchange: BlobExchange) {
    let (server, start) = (ObjectIdentifier(exchange.location.watches.store), ContinuousClock.now)
    let isTaken = looking.submit(for: server) { [self] http in
      let patience = exchange.location.settings.s3Limits.head
      guard .now - start >= patience else { return look(exchange, by: &http) }
      let words = "no thread was free within \(patience) to ask S3: BLOBLO_THREADS"
      loop.submit { [self] in
        for exchange in lookers(exchange) { pass(exchange, .line(words)) }
      }
    }
    if !isTaken { for exchange in lookers(exchange) { pass(exchange, .busy) } }
  }

  /// Answers if upstream's answer and what is remembered of the bucket decide; else waits for a look at the same
  /// blob.
  ///
  /// - Returns: the exchange, if it is the one that makes the look.
  private func concludeOrJoin(_ exchange: consuming BlobExchange) -> BlobExchange? {
    guard let lookup = exchange.lookup else { return nil }
    let (engine, now) = (exchange.location.engine, Moment.now())
    if let whole = engine.complete(lookup, of: exchange.blob, at: now) {
      conclude(exchange, whole, at: now)
      return nil
    }
    let isJoined = engine.areLooksShared && looks.join(exchange, exchange.blob.query.blob)
    return isJoined ? nil : exchange
  }

  private func look(_ exchange: BlobExchange, by http: inout HTTPClient) {
    let (key, location, now) = (exchange.blob.query.blob, exchange.location, Moment.now())
    let look =
      location.engine.isReturn(exchange.blob, at: now)
      ? locations.lookForReturn(at: key, in: location, by: &http, at: now)
      : location.engine.look(at: key, by: &http, at: now)
    recorder.looked(look)
    loop.submit { [self] in
      let now = Moment.now()
      for exchange in lookers(exchange) {
        guard let lookup = exchange.lookup else { continue }
        conclude(exchange, lookup.completed(by: look), at: now)
      }
    }
  }

  private func lookers(_ exchange: BlobExchange) -> [BlobExchange] {
    let isShared = exchange.location.engine.areLooksShared
    return [exchange] + (isShared ? looks.complete(exchange.blob.query.blob) : [])
  }

  private func conclude(_ exchange: consuming BlobExchange, _ lookup: LookupResult, at now: Moment)
  {
    let engine = exchange.location.engine
    guard engine.holds(lookup, of: exchange.blob, at: now) else { return proveAgain(exchange) }
    exchange.lookup = lookup
    carryOut(engine.decide(exchange.blob, by: lookup, at: now), exchange)
  }

  /// Decides again, since what allowed the read is over. Only once: what takes so long is not for clients to wait for.
  private func proveAgain(_ exchange: consuming BlobExchange) {
    guard !exchange.isProvedAgain else { return pass(exchange, .busy) }
    exchange.isProvedAgain = true
    exchange.lookup = nil
    decide(exchange)
  }

  private func carryOut(_ decision: Decision, _ exchange: BlobExchange) {
    let (request, blob, location) = (exchange.request, exchange.blob, exchange.location)
    if purges.hold(blob.path.digest, decision) { return pass(exchange, .purged) }
    switch decision {
    case .pass(let reason): if !joinFill(exchange, despite: reason) { pass(exchange, reason) }
    case .answer(let proof, let size):
      recorder.decided(.answer, exchange, size: size)
      location.front.answer(request, proof, size: size, digest: blob.path.digest)
    case .redirect(let url, let size): redirect(exchange, to: url, size: size)
    case .accelerate(let proof, let url, let size):
      accelerate(exchange, proof: proof, to: url, size: size)
    case .multipart(let proof, let size):
      let ranges = request.withParameter("HTTP_RANGE") { ByteRanges(field: $0) } ?? nil
      guard let parts = ranges?.resolved(of: size), !request.hasEndlessCuts else {
        return pass(exchange, .range)
      }
      severalRanges.answer(exchange, proof, size: size, parts: parts)
    case .fill(let proof, let size, let wrong):
      if let wrong, let size { recorder.found(wrong, blob, want: size) }
      switch tee.fill(exchange, proof, size: size, isReplacement: wrong != nil) {
      case .isAnswered: break
      case .isPublished: askAgain(exchange)
      }
    }
  }

  /// Decides again, since a fill has ended meanwhile. Only once: a bucket may forget what was put there.
  private func askAgain(_ exchange: BlobExchange) {
    guard !exchange.isAskedAgain else {
      return pass(exchange, .store("the bucket does not show the object that was just put there"))
    }
    var exchange = exchange
    exchange.isAskedAgain = true
    // The fill may be another location's, which has its own memory of the same bucket.
    exchange.location.engine.forgetAbsence(
      of: exchange.blob.path.digest, in: exchange.location.id, at: .now())
    decide(exchange)
  }
}
