internal import Glibc
internal import Synchronization
internal import System
internal import Threading

/// A server that questions are put to: its connections, and the line before them.
final class Server: @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.

  /// How long a connection rests behind the answer to a HEAD, until the server has proved quiet.
  private static let rest = Duration.seconds(1)
  /// Rests without a byte that prove it for one class of answers: a server that sends a blob behind each HEAD shows it at
  /// the first, and one that does so behind errors only must not be trusted for its successes. Few, since a roll-out that
  /// comes before the proof opens a connection for each question.
  private static let quietRests = 8
  /// Shorter than what most servers and proxies in between allow: 60 s.
  private static let idleLife = Duration.seconds(45)
  /// A file of authorities that is named is read again after so long: it may have been renewed. The system's
  /// authorities are many, and read again at SIGHUP.
  private static let authoritiesLife = Duration.seconds(60)
  /// No connection lives so long that a server's new certificate is not seen.
  static let connectionLife = Duration.seconds(300)

  let origin: Origin
  let caFile: String?
  let addresses: Addresses
  let client: QuestionClient
  private var line = FairLine<QuestionGroup, Question>()
  private var shares: WireShares
  /// All connections: on the wire, and resting.
  private var connections: [ObjectIdentifier: ServerConnection] = [:]
  /// Longest rest first.
  private var resting: [ServerConnection] = []
  private var tls: (context: TLSContext, start: ContinuousClock.Instant)?
  /// Of the authorities by which connections are checked.
  private(set) var generation = authoritiesGeneration.load(ordering: .relaxed)
  private var quietCounts = [Int](repeating: 0, count: AnswerClass.count)
  private var isSomeAnswerProvedQuiet = false
  /// Whether bytes have come behind the answer to a HEAD: each connection then serves one.
  private(set) var isNoisy = false
  private var sweep: LoopTimer?
  private var isGoingOn = false

  init(_ origin: Origin, caFile: String?, _ client: QuestionClient) {
    self.origin = origin
    self.caFile = caFile
    self.client = client
    shares = WireShares(places: client.connectionLimit)
    addresses = Addresses(origin, client.loop)
  }

  var loop: EventLoop { client.loop }
  var waiting: Int { line.count }
  var onWire: Int { connections.count - resting.count }

  func tlsContext() throws(TransportError) -> TLSContext? {
    if let tls, caFile == nil || .now - tls.start < Self.authoritiesLife {
      return tls.context
    }
    let context = try TLSContext(caFile: caFile)
    tls = (context, .now)
    return context
  }

  func ask(_ question: Question, of group: QuestionGroup) {
    if line.count == 0, !isGoingOn, askAtOnce(question, of: group) { return goOn() }
    guard line.count < client.lineLimit else {
      return question.end(.failure(TransportError(.line, "\(line.count) questions wait already")))
    }
    let patience = question.limits.head
    question.timer = loop.after(patience) { [client] in
      let limit = client.connectionLimit
      question.end(
        .failure(
          TransportError(.line, "none of \(limit) connections was free within \(patience)")))
    }
    line.append(question, of: group)
    goOn()
  }

  /// Puts a question on the wire when no other waits.
  ///
  /// - Returns: whether there was room.
  private func askAtOnce(_ question: Question, of group: QuestionGroup) -> Bool {
    isGoingOn = true
    defer { isGoingOn = false }
    renewAuthorities()
    guard addresses.isReady({ self.goOn() }), hasRoom,
      shares.hasRoom(for: group, doOthersWait: false)
    else { return false }
    send(question, of: group)
    return true
  }

  private func send(_ question: Question, of group: QuestionGroup) {
    guard !question.isOver else { return question.endUnwanted() }
    shares.take(group)
    question.onWire = (self, group)
    bound(question)
    if !askResting(question) { connect(question) }
  }

  /// Puts as many of the line on the wire as there is room for.
  func goOn() {
    guard !isGoingOn, line.count > 0 else { return }
    isGoingOn = true
    defer { isGoingOn = false }
    renewAuthorities()
    guard addresses.isReady({ self.goOn() }) else { return }
    while line.count > 0, hasRoom, let (group, question) = nextInLine() {
      send(question, of: group)
    }
  }

  private func nextInLine() -> (QuestionGroup, Question)? {
    let doOthersWait = line.groupCount > 1
    return line.popFirst { shares.hasRoom(for: $0, doOthersWait: doOthersWait) }
  }

  func leave(_ group: QuestionGroup) { shares.giveBack(group) }

  /// Opens a connection for a question, to the first of the server's addresses.
  func connect(_ question: Question) {
    guard !addresses.known.isEmpty else {
      return question.end(
        .failure(TransportError(.connect, addresses.failure ?? "\(origin.host): no address")))
    }
    connect(question, to: addresses.known[...])
  }

  /// Opens a connection to the first of these addresses; the others are tried where that one fails.
  func connect(_ question: Question, to addresses: ArraySlice<Addresses.Address>) {
    // A full house of connections that only rest gives one of them up.
    if connections.count >= client.connectionLimit, let oldest = resting.first { oldest.close() }
    for i in addresses.indices {
      if let socket = addresses[i].connect() {
        let connection = ServerConnection(self, question, socket: socket, to: addresses[i...])
        connections[ObjectIdentifier(connection)] = connection
        return
      }
      guard errno != EMFILE, errno != ENFILE, errno != EADDRNOTAVAIL else {
        return question.end(
          .failure(
            TransportError(.line, "no more connections: \(systemWords(for: errno))")
          ))
      }
    }
    question.end(
      .failure(
        TransportError(.connect, "could not connect: \(systemWords(for: errno))")))
  }

  // MARK: for connections

  func takeBack(_ connection: ServerConnection) {
    resting.append(connection)
    if sweep == nil { sweepLater() }
  }

  func forget(_ connection: ServerConnection) {
    connections[ObjectIdentifier(connection)] = nil
    resting.removeAll { $0 === connection }
  }

  func hasSpokenOutOfTurn() {
    guard !isNoisy else { return }
    isNoisy = true
    for connection in resting { connection.close() }
  }

  /// What was checked by authorities that have been renewed since is not used again.
  private func renewAuthorities() {
    let newest = authoritiesGeneration.load(ordering: .relaxed)
    guard newest != generation else { return }
    generation = newest
    tls = nil
    for connection in resting { connection.close() }
  }

  private var hasRoom: Bool {
    connections.count < client.connectionLimit || !resting.isEmpty
  }

  private func isProvedQuiet(behind answer: AnswerClass) -> Bool {
    quietCounts[answer.index] >= Self.quietRests
  }

  /// From now on the question's time on the wire runs.
  private func bound(_ question: Question) {
    question.timer?.cancel()
    let limit = question.limits.head
    question.timer = loop.after(limit) { [self] in
      let connection = connections.values.first { $0.isBusy(with: question) }
      let error =
        connection?.isMade == false
        ? TransportError(.connect, "no connection within \(limit)")
        : TransportError(.timeout, "no response within \(limit)")
      question.end(.failure(error))
      connection?.close()
      goOn()
    }
  }

  /// Asks over the connection that has rested the longest, of those that have rested enough.
  private func askResting(_ question: Question) -> Bool {
    while let index = usableIndex() {
      let connection = resting.remove(at: index)
      if hasRested(connection) { count(connection) }
      if connection.ask(question) { return true }
    }
    return false
  }

  private func usableIndex() -> Int? {
    guard let first = resting.first else { return nil }
    // Where the longest rest is too short, all are.
    if hasRested(first) { return 0 }
    guard isSomeAnswerProvedQuiet else { return nil }
    return resting.firstIndex { isProvedQuiet(behind: $0.answerClass) }
  }

  private func hasRested(_ connection: ServerConnection) -> Bool {
    client.now() - connection.restStart >= Self.rest
  }

  private func count(_ connection: ServerConnection) {
    guard !connection.isRestCounted else { return }
    connection.isRestCounted = true
    quietCounts[connection.answerClass.index] += 1
    if isProvedQuiet(behind: connection.answerClass) { isSomeAnswerProvedQuiet = true }
  }

  private func sweepLater() {
    sweep = loop.after(Self.rest) { [self] in
      sweep = nil
      let now = client.now()
      for connection in resting where hasRested(connection) { count(connection) }
      for connection in resting where now - connection.restStart >= Self.idleLife {
        connection.close()
      }
      if !resting.isEmpty { sweepLater() }
    }
  }
}

/// Answers behind which a server behaves alike: those to HEADs, and to GETs, with the same first digit of the status.
struct AnswerClass: Equatable {
  static let count = 20
  let index: Int

  init() { index = 0 }

  /// - Parameter status: of three digits.
  init(of status: Int, isHead: Bool) { index = status / 100 % 10 + (isHead ? 0 : 10) }
}
