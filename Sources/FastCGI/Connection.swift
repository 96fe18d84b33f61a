internal import CFastCGI
internal import CLinux
internal import Glibc
internal import Threading

/// One connection of a web server: reads its requests one after the other, and sends what answers them.
///
///     idle ──bytes──▶ reading ──params──▶ answering ──answered──▶ idle, or closing
///
/// The next request waits in the socket until the answer has ended. A body that nobody wants is read and
/// dropped behind the answer, within bounds.
final class Connection: EventSource, @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.

  private enum Phase {
    case idle
    /// A request has come, and its answer has not ended.
    case answering(RecordReader.Start)
    /// Nothing more is sent: what the web server still sends is dropped, so that it can read the answer.
    case lingering
    case closed
  }

  private static let readsAtOnce = 16
  /// Bytes of a body that are dropped to keep a connection.
  private static let droppedLimit = 1 << 20

  let descriptor: Int32
  private let reactor: Reactor
  private var reader = RecordReader()
  private var phase = Phase.idle
  private var output = OutputQueue()
  private var waiting: FastCGIRequest?
  /// Bytes behind the request that is being answered.
  private var backlog: [UInt8] = []
  private var dropped = 0
  /// How many bytes have been looked at and are still in the socket.
  private var lookedAt = 0
  private var hasBodyEnded = true
  private var isTakingBytes = false
  private var mayHaveMore = false
  private var isReadPutOff = false
  private var hasInputEnded = false
  private var isWatchingOutput = false
  private var readTimer: LoopTimer?
  private var writeTimer: LoopTimer?
  /// Runs while a request waits for the first byte of its answer.
  private var silenceTimer: LoopTimer?
  private var onDrained: (() -> Void)?
  private(set) var isGone = false

  init(_ descriptor: Int32, _ reactor: Reactor) {
    self.descriptor = descriptor
    self.reactor = reactor
  }

  var loop: EventLoop { reactor.loop }

  // MARK: reading

  func isReady(_ readiness: EventLoop.Readiness) {
    if readiness.contains(.inputEnd) { hasInputEnded = true }
    if readiness.contains(.gone) { isGone = true }
    if readiness.contains(.output) { flush() }
    switch phase {
    case .answering:
      mayHaveMore = true
      if isGone { close() }
    case .idle, .lingering: if !isReadPutOff { read() }
    case .closed: break
    }
  }

  /// Takes what is there, and what comes until a request has to be answered first.
  func read() {
    guard !isClosed else { return }
    if case .answering = phase {
      mayHaveMore = true
      return
    }
    mayHaveMore = false
    guard !reactor.isInputInUse else {
      // Another connection's bytes are being taken, and have led here.
      return readLater()
    }
    if isIdle, !output.isEmpty {
      // Who does not take what we have said is not heard; `isReady` reads on when it has.
      mayHaveMore = true
    } else {
      reactor.isInputInUse = true
      readAll()
      reactor.isInputInUse = false
    }
    if reactor.isStopping, isIdle { retire() }
  }

  /// A read from a Unix socket wakes the web server, which has nothing to do before the answer comes. So we only look at
  /// a request that comes alone, or behind one whose answer had to wait, and take it out when we have sent something.
  /// Under load an answer that goes out at once finds the web server awake anyway.
  private func readAll() {
    for _ in 0..<Self.readsAtOnce {
      let isLook = loop.isQuiet || reactor.isAnswerLate
      let count = unsafe recv(
        descriptor, reactor.input.baseAddress, reactor.input.count,
        Int32(MSG_DONTWAIT) | (isLook ? Int32(MSG_PEEK) : 0))
      guard count > 0 else {
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN { return watchForRest() }
        return close()
      }
      if isLook { lookedAt = count }
      let bytes = unsafe UnsafeRawBufferPointer(rebasing: reactor.input[..<count])
      unsafe take(bytes.bindMemory(to: UInt8.self).span)
      let isAll = unsafe count < reactor.input.count && !hasInputEnded
      switch phase {
      case .answering:
        reactor.isAnswerLate = true
        if !isAll { mayHaveMore = true }
        return
      case .closed: return
      case .idle, .lingering:
        reactor.isAnswerLate = false
        takeOut()
        if !isAll, !output.isEmpty { mayHaveMore = true }
        if isAll || !output.isEmpty { return watchForRest() }
      }
    }
    // The others' turn.
    watchForRest()
    readLater()
  }

  /// Reads when the loop has been round once.
  private func readLater() {
    guard !isReadPutOff else { return }
    isReadPutOff = true
    loop.after(.zero) { [self] in
      isReadPutOff = false
      read()
    }
  }

  /// Takes the bytes that were looked at out of the socket.
  private func takeOut() {
    guard lookedAt > 0 else { return }
    _ = unsafe recv(descriptor, reactor.waste.baseAddress, lookedAt, Int32(MSG_DONTWAIT))
    lookedAt = 0
  }

  private func take(_ bytes: Span<UInt8>) {
    var at = 0
    if case .lingering = phase { return drop(bytes, from: at) }
    isTakingBytes = true
    while true {
      while case .idle = phase, let event = reader.next(bytes, &at) { take(event) }
      // All that has come is read: the request is answered without the rest of its body.
      guard waiting != nil else { break }
      begin()
    }
    isTakingBytes = false
    guard at < bytes.count else { return }
    switch phase {
    case .answering:
      unsafe bytes.extracting(at..<bytes.count).withUnsafeBufferPointer {
        unsafe backlog.append(contentsOf: $0)
      }
    case .lingering: drop(bytes, from: at)
    case .idle, .closed: break
    }
  }

  /// Nothing is answered any more. The end of the body, and what should not follow it, end the connection.
  private func drop(_ bytes: Span<UInt8>, from start: Int) {
    var at = start
    dropped += bytes.count - at
    guard dropped <= Self.droppedLimit else { return close() }
    while let event = reader.next(bytes, &at) {
      if case .body = event { continue }
      hasBodyEnded = true
      if output.isEmpty { close() }
      return
    }
  }

  private func take(_ event: consuming RecordReader.Event) {
    switch consume event {
    case .request(let start, let params):
      hasBodyEnded = start.role == FCGI_AUTHORIZER
      dropped = 0
      waiting = FastCGIRequest(start, params, on: self)
      if hasBodyEnded { begin() }
    case .body(let count):
      waiting?.hasSentBody = true
      dropped += count
      if waiting != nil { begin() } else if dropped > Self.droppedLimit { close() }
    case .bodyEnd:
      hasBodyEnded = true
      if waiting != nil { begin() }
    case .abort:
      waiting = nil
      close()
    case .values(let names):
      output.tail.append(valuesOf: names, connectionLimit: reactor.connectionLimit)
      flush()
    case .unknownType(let type):
      output.tail.append(unknownType: type)
      flush()
    case .secondRequest(let id):
      output.tail.append(endOfRequest: id, protocolStatus: FCGI_CANT_MPX_CONN)
      flush()
    case .broken:
      waiting = nil
      close()
    }
  }

  private func begin() {
    guard let request = waiting else { return }
    waiting = nil
    readTimer?.cancel()
    readTimer = nil
    phase = .answering(request.start)
    reactor.handler.handle(request)
    if isAnswering(request.start.id) { giveSignsOfLife(request.start.id) }
  }

  /// A request whose beginning is there must come whole within some seconds; so must a body that is dropped.
  private func watchForRest() {
    let isLate: Bool
    switch phase {
    case .idle: isLate = reader.isWithinRequest || !hasBodyEnded
    case .lingering: isLate = true
    case .answering, .closed: isLate = false
    }
    guard isLate else {
      readTimer?.cancel()
      readTimer = nil
      return
    }
    guard readTimer == nil else { return }
    readTimer = loop.after(reactor.limits.read) { [self] in
      readTimer = nil
      close()
    }
  }

  // MARK: answering

  /// Gives signs of life until the answer begins, so that a web server can leave a responder that hangs after a
  /// few seconds, and wait longer for one that is asking the registry.
  private func giveSignsOfLife(_ id: UInt16) {
    silenceTimer = loop.after(reactor.limits.silence) { [self] in
      if keepAlive(id) { giveSignsOfLife(id) }
    }
  }

  private func endSilence() {
    guard let timer = silenceTimer else { return }
    timer.cancel()
    silenceTimer = nil
  }

  /// Adds bytes to the answer; they are sent with what follows, or when there are many.
  ///
  /// - Returns: `false` when the web server has gone.
  func write(_ bytes: Span<UInt8>, ofRequest id: UInt16) -> Bool {
    guard isAnswering(id) else { return false }
    endSilence()
    reactor.lendBuffer(to: &output)
    output.tail.append(output: bytes, ofRequest: id)
    if output.tail.count >= 64 << 10 { flush() }
    return isAnswering(id)
  }

  func lendHeadBuffer() -> [UInt8] { reactor.lendHeadBuffer() }

  func takeBackHeadBuffer(_ buffer: consuming [UInt8]) { reactor.takeBackHeadBuffer(buffer) }

  /// Adds a piece of a file to the answer, and sends what the web server takes.
  func send(
    file: Int32, _ owner: AnyObject?, offset: Int64, count: Int64, ofRequest id: UInt16
  ) -> Bool {
    guard isAnswering(id) else { return false }
    endSilence()
    output.append(file: file, owner, offset: offset, count: count, ofRequest: id)
    flush()
    return isAnswering(id)
  }

  func keepAlive(_ id: UInt16) -> Bool {
    guard isAnswering(id) else { return false }
    output.tail.append(signOfLifeOfRequest: id)
    flush()
    return isAnswering(id)
  }

  /// Sends what waits.
  ///
  /// - Returns: whether the web server has taken all of it, or has gone.
  func drain() -> Bool {
    flush()
    return output.isEmpty || isClosed
  }

  /// Calls `body` when the web server has taken what waits, or has gone.
  func whenDrained(_ body: @escaping () -> Void) {
    if drain() { body() } else { onDrained = body }
  }

  /// Ends the answer; the connection may bring the next request.
  func finish(_ id: UInt16) {
    guard case .answering(let start) = phase, start.id == id else { return }
    endSilence()
    reactor.lendBuffer(to: &output)
    output.tail.append(endOfRequest: id)
    reader.isAnswered = true
    phase = .idle
    if !start.isConnectionKept { phase = .lingering }
    flush()
    goOn()
  }

  /// Breaks the answer off, so that the web server can't take it for a whole one.
  func abort(_ id: UInt16) {
    if isAnswering(id) { close() }
  }

  /// Whether nobody waits for an answer.
  var isIdle: Bool { if case .idle = phase { true } else { false } }

  private func isAnswering(_ id: UInt16) -> Bool {
    if case .answering(let start) = phase { start.id == id } else { false }
  }

  private var isClosed: Bool { if case .closed = phase { true } else { false } }

  /// Reads on behind an answer, unless that is being done already.
  private func goOn() {
    if case .lingering = phase, output.isEmpty { return linger() }
    guard !isTakingBytes, case .idle = phase else { return }
    takeBacklog()
    guard case .idle = phase else { return }
    if mayHaveMore || reactor.isStopping { read() } else { watchForRest() }
  }

  private func takeBacklog() {
    guard !backlog.isEmpty else { return }
    var bytes: [UInt8] = []
    swap(&bytes, &backlog)
    take(bytes.span)
  }

  /// Closes the connection once its last answer is out.
  private func retire() {
    phase = .lingering
    if output.isEmpty { linger() }
  }

  /// The answer is out. What has come of a body and was not read would have the kernel reset the connection, and
  /// the web server lose the answer.
  private func linger() {
    guard !hasBodyEnded else { return close() }
    _ = shutdown(descriptor, Int32(SHUT_WR))
    takeBacklog()
    guard !isClosed else { return }
    if mayHaveMore { read() } else { watchForRest() }
  }

  private func flush() {
    guard !isClosed else { return }
    let progress = output.send(to: descriptor)
    takeOut()
    switch progress {
    case .broken: return close()
    case .full: return watchOutput()
    case .sent: break
    }
    reactor.takeBuffer(back: &output)
    writeTimer?.cancel()
    writeTimer = nil
    if isWatchingOutput {
      isWatchingOutput = false
      loop.change(descriptor, to: .input)
      if case .lingering = phase { return linger() }
    }
    drained()
  }

  private func drained() {
    guard let body = onDrained else { return }
    onDrained = nil
    body()
  }

  private func watchOutput() {
    // Whatever it takes is progress.
    writeTimer?.cancel()
    writeTimer = loop.after(reactor.limits.write) { [self] in close() }
    guard !isWatchingOutput else { return }
    isWatchingOutput = true
    loop.change(descriptor, to: [.input, .output])
  }

  func close() {
    guard !isClosed else { return }
    // The kernel resets a connection that is closed with unread bytes.
    takeOut()
    phase = .closed
    readTimer?.cancel()
    writeTimer?.cancel()
    endSilence()
    loop.forget(descriptor)
    _ = Glibc.close(descriptor)
    reactor.forget(self)
    drained()
  }
}
