internal import CLinux
internal import Glibc
internal import Primitives
internal import System
internal import Threading

/// One connection to a server: asks one question at a time, and reads heads only.
///
///     connecting ──▶ securing ──▶ asking ──head──▶ resting ──▶ asking …
///
/// While it rests it is watched: a byte that comes then was sent behind the answer to a HEAD, and must not be
/// taken for the beginning of the next answer.
final class ServerConnection: EventSource, @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.

  private enum Phase {
    case connecting, securing, asking, resting, closed
  }

  /// What comes later is no part of an answer.
  private static let answerTime = Duration.seconds(5)

  private let server: Server
  private var stream: ServerStream
  private var phase = Phase.connecting
  private var question: Question?
  private var unsent = 0
  private var parser = HeadParser()
  /// A line whose end has not come.
  private var line: [UInt8] = []
  private var hasReceived = false
  private var isWatchingOutput = true
  /// Its address, and those to try when that one fails. The server's own list changes meanwhile.
  private var addresses: ArraySlice<Addresses.Address>
  private var addressTimer: LoopTimer?
  /// Whether it has answered before.
  private var isReused = false
  private(set) var restStart = ContinuousClock.now
  private(set) var answerClass = AnswerClass()
  private let start = ContinuousClock.now
  private let generation: Int
  /// Whether its rest has been long enough, and counts for the server.
  var isRestCounted = false

  /// Connects, and asks.
  ///
  /// - Parameter addresses: the socket's, and those to try when that one fails.
  init(
    _ server: Server, _ question: Question, socket: Int32,
    to addresses: ArraySlice<Addresses.Address>
  ) {
    self.server = server
    self.question = question
    self.addresses = addresses
    generation = server.generation
    stream = ServerStream(socket: socket)
    server.loop.watch(socket, for: [.input, .output], self)
    watchAddress()
  }

  var isResting: Bool { phase == .resting }

  /// Asks over a connection that has rested.
  ///
  /// - Returns: `false` when it is of no use any more; it is closed then.
  func ask(_ question: Question) -> Bool {
    guard phase == .resting, isQuiet() else { return false }
    isReused = true
    self.question = question
    begin()
    return true
  }

  /// Whether nothing has come since the last answer; it is closed otherwise.
  func isQuiet() -> Bool {
    switch unsafe stream.read(server.client.buffer) {
    case .later: return true
    case .bytes:
      // What comes long after an answer is not behind it: a proxy says 408 before it closes an idle connection.
      if server.client.now() - restStart < Self.answerTime { server.hasSpokenOutOfTurn() }
      close()
    case .end, .failed: close()
    }
    return false
  }

  func close() {
    guard phase != .closed else { return }
    phase = .closed
    addressTimer?.cancel()
    server.loop.forget(stream.socket)
    _ = shutdown(stream.socket, Int32(SHUT_RDWR))
    server.forget(self)
  }

  func isBusy(with asked: Question) -> Bool { question === asked }

  /// Whether it is past connecting and TLS.
  var isMade: Bool { phase != .connecting && phase != .securing }

  func isReady(_ readiness: EventLoop.Readiness) {
    switch phase {
    case .connecting: connected()
    case .securing: secure()
    case .asking:
      if readiness.contains(.output), unsent > 0 { send() }
      if phase == .asking, !readiness.isDisjoint(with: .readable) { receive() }
    case .resting: _ = isQuiet()
    case .closed: break
    }
  }

  // MARK: connecting

  private func connected() {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    _ = unsafe getsockopt(stream.socket, SOL_SOCKET, SO_ERROR, &code, &length)
    guard code == 0 else { return fail(connecting: code) }
    addressTimer?.cancel()
    if let address = addresses.first { server.addresses.prefer(address) }
    addresses = []
    guard server.origin.isSecure else { return begin() }
    phase = .securing
    secure()
  }

  private func secure() {
    do {
      guard let context = try server.tlsContext(),
        try stream.secure(context, host: server.origin.host)
      else { return }
      begin()
    } catch {
      end(.failure(error))
    }
  }

  /// A server whose first address does not answer has others.
  private func watchAddress() {
    guard addresses.count > 1 else { return }
    addressTimer = server.loop.after(.milliseconds(300)) { [self] in
      if phase == .connecting { fail(connecting: ETIMEDOUT) }
    }
  }

  private func fail(connecting code: Int32) {
    let (question, others) = (question, addresses.dropFirst())
    self.question = nil
    close()
    defer { server.goOn() }
    guard let question else { return }
    guard !question.isOver else { return question.endUnwanted() }
    if !others.isEmpty { return server.connect(question, to: others) }
    question.end(
      .failure(
        TransportError(.connect, "could not connect: \(systemWords(for: code))")))
  }

  // MARK: asking

  private func begin() {
    phase = .asking
    hasReceived = false
    isRestCounted = false
    unsent = question?.head.count ?? 0
    send()
  }

  private func send() {
    guard let question else { return }
    while unsent > 0 {
      let rest = question.head[(question.head.count - unsent)...]
      switch unsafe rest.withUnsafeBytes({ unsafe stream.write($0) }) {
      case .bytes(let count): unsent -= count
      case .later: return watch(output: true)
      case .end, .failed: return broken()
      }
    }
    watch(output: false)
  }

  private func watch(output isWanted: Bool) {
    guard isWatchingOutput != isWanted else { return }
    isWatchingOutput = isWanted
    server.loop.change(stream.socket, to: isWanted ? [.input, .output] : .input)
  }

  private func receive() {
    let buffer = unsafe server.client.buffer
    while phase == .asking {
      switch unsafe stream.read(buffer) {
      case .bytes(let count):
        hasReceived = true
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        unsafe take(bytes.bindMemory(to: UInt8.self).span)
      case .later: return
      case .end, .failed: return broken()
      }
    }
  }

  private func take(_ bytes: Span<UInt8>) {
    var start = 0
    while let length = bytes.extracting(start...).firstIndex(of: 0x0A) {
      let step = takeLine(bytes.extracting(start...(start + length)))
      start += length + 1
      switch step {
      case .more: continue
      case .invalid(let why): return end(.failure(TransportError(.broken, why)))
      case .head(let head) where head.status == 101:
        return end(.failure(TransportError(.broken, "the server switched protocols")))
      case .head(let head) where head.status < 200: continue
      case .head(let head): return answered(head, surplus: bytes.count - start)
      }
    }
    unsafe bytes.extracting(start..<bytes.count).withUnsafeBufferPointer {
      unsafe line.append(contentsOf: $0)
    }
    if line.count > 64 << 10 { end(.failure(TransportError(.broken, "a line without an end"))) }
  }

  private func takeLine(_ end: Span<UInt8>) -> HeadParser.Step {
    if line.isEmpty { return parser.take(end) }
    unsafe end.withUnsafeBufferPointer { unsafe line.append(contentsOf: $0) }
    defer { line.removeAll(keepingCapacity: true) }
    return parser.take(line.span)
  }

  private func answered(_ head: HTTPResponseHead, surplus: Int) {
    let isHead = question?.isHead ?? false
    if isHead, surplus > 0 { server.hasSpokenOutOfTurn() }
    // The bytes that came with a short body's head are the body.
    let isAll =
      isHead || head.status == 204 || head.status == 304
      ? surplus == 0 : head.contentLength == Int64(surplus) && !head.isChunked
    stream.keepSession()
    if isAll, unsent == 0, !head.endsConnection, !server.isNoisy, generation == server.generation,
      .now - start < Server.connectionLife
    {
      answerClass = AnswerClass(of: head.status, isHead: isHead)
      rest()
    }
    end(.success(head))
  }

  private func rest() {
    phase = .resting
    restStart = server.client.now()
    if line.capacity > 0 { line = [] }
    server.takeBack(self)
  }

  private func broken() {
    // A server may close a connection in the instant that we use it again.
    if isReused, !hasReceived, let question, !question.isRepeated {
      self.question = nil
      question.isRepeated = true
      close()
      defer { server.goOn() }
      return question.isOver ? question.endUnwanted() : server.connect(question)
    }
    end(.failure(TransportError(.broken, "the server closed the connection without an answer")))
  }

  private func end(_ result: Result<HTTPResponseHead, TransportError>) {
    let question = question
    self.question = nil
    if phase != .resting { close() }
    question?.end(result)
    server.goOn()
  }
}

extension HTTPResponseHead {
  fileprivate var isChunked: Bool { fields.first(named: "transfer-encoding") != nil }

  /// Source: RFC 9112 §9.3; a server of HTTP/1.0 ends every connection, as far as we are concerned.
  fileprivate var endsConnection: Bool {
    isOldVersion
      || fields.contains { $0.isNamed("connection") && $0.text.lowercased().contains("close") }
  }
}
