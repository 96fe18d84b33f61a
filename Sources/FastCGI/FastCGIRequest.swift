internal import CFastCGI
internal import Threading

/// A request that has come on a connection, as records of FastCGI.
///
/// An answer on the loop's thread never waits. Another thread waits until the web server has taken what was sent.
final class FastCGIRequest: Request, @unchecked Sendable {
  // @unchecked: as the request; the connection is asked on the loop's thread.
  let start: RecordReader.Start
  private let connection: Connection
  private var isEnded = false

  init(_ start: RecordReader.Start, _ params: Params, on connection: Connection) {
    self.start = start
    self.connection = connection
    super.init(Role(start.role), params, isOfOwnProcess: false)
  }

  deinit { abort() }

  override package var isGone: Bool { connection.isGone }

  override package func write(_ bytes: Span<UInt8>) -> Bool {
    let (connection, id) = (connection, start.id)
    if connection.loop.isCurrent { return connection.write(bytes, ofRequest: id) }
    let copy = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    return waitUntilSent { connection.write(copy.span, ofRequest: id) }
  }

  override package func send(
    file: Int32, _ owner: AnyObject?, offset: Int64, count: Int64
  ) -> Bool {
    let (connection, id) = (connection, start.id)
    if connection.loop.isCurrent {
      return connection.send(file: file, owner, offset: offset, count: count, ofRequest: id)
    }
    // The calling thread has the owner as long as it waits.
    return waitUntilSent {
      connection.send(file: file, nil, offset: offset, count: count, ofRequest: id)
    }
  }

  override func lendBuffer() -> [UInt8] {
    connection.loop.isCurrent ? connection.lendHeadBuffer() : []
  }

  override func takeBack(_ buffer: consuming [UInt8]) {
    if connection.loop.isCurrent { connection.takeBackHeadBuffer(buffer) }
  }

  override package var isDrained: Bool { connection.drain() }

  override package func whenDrained(_ body: @escaping () -> Void) { connection.whenDrained(body) }

  override package func keepAlive() -> Bool {
    let (connection, id) = (connection, start.id)
    if connection.loop.isCurrent { return connection.keepAlive(id) }
    return waitUntilSent { connection.keepAlive(id) }
  }

  override package func finish() {
    guard !isEnded else { return }
    isEnded = true
    let (connection, id) = (connection, start.id)
    if connection.loop.isCurrent { return connection.finish(id) }
    connection.loop.submit { connection.finish(id) }
  }

  override package func abort() {
    guard !isEnded else { return }
    isEnded = true
    let (connection, id) = (connection, start.id)
    if connection.loop.isCurrent { return connection.abort(id) }
    connection.loop.submit { connection.abort(id) }
  }

  /// Has the loop's thread send something, and waits until it is sent.
  private func waitUntilSent(_ send: @escaping @Sendable () -> Bool) -> Bool {
    let outcome = Monitor<Bool?>(nil)
    let connection = connection
    connection.loop.submit {
      guard send() else { return outcome.update { $0 = false } }
      connection.whenDrained { outcome.update { $0 = true } }
    }
    return outcome.wait { $0 } ?? false
  }
}

extension Request.Role {
  fileprivate init(_ number: Int32) {
    switch number {
    case FCGI_RESPONDER: self = .responder
    case FCGI_AUTHORIZER: self = .authorizer
    default: self = .other
    }
  }
}
