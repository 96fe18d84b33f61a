internal import Glibc
package import Threading

/// Who answers requests.
package protocol RequestHandler: Sendable {
  /// Takes a request over. Called on the loop's thread: it must not wait.
  func handle(_ request: Request)
}

/// The FastCGI responder: one listening socket, any number of connections, one loop.
package final class Responder: Sendable {
  private let acceptor: Acceptor
  private let reactor: Reactor
  private let thread = Monitor<Thread?>(nil)

  package init(
    _ listener: consuming Listener, on loop: EventLoop,
    limits: ConnectionLimits = ConnectionLimits(), handler: any RequestHandler
  ) {
    reactor = Reactor(on: loop, handler: handler, limits: limits)
    acceptor = Acceptor(listener, reactor)
    // `send` reports a web server that has closed the connection.
    signal(SIGPIPE, SIG_IGN)
  }

  /// Starts to accept and answer, on a thread of its own.
  ///
  /// - Returns: `false` when the system has no thread to give.
  package func start() -> Bool {
    let (acceptor, loop) = (acceptor, reactor.loop)
    loop.submit { acceptor.start() }
    guard let started = Thread.start("reactor", { loop.run() }) else { return false }
    thread.withLock { $0 = started }
    return true
  }

  /// Whether the loop takes an event that is sent to it now.
  package func isResponsive(within limit: Duration) -> Bool {
    reactor.loop.isResponsive(within: limit)
  }

  /// Takes no more requests, and waits for those in flight.
  ///
  /// - Returns: `false` when some were still in flight after `limit`; the loop goes on to serve them.
  package func stop(within limit: Duration) -> Bool {
    let hasStopped = Monitor(false)
    let (acceptor, reactor) = (acceptor, reactor)
    reactor.loop.submit {
      acceptor.stop()
      reactor.stopReading()
      hasStopped.update { $0 = true }
    }
    let deadline = ContinuousClock.now + limit
    guard hasStopped.wait(for: limit, until: { $0 ? true : nil }) ?? false,
      reactor.waitUntilNone(for: deadline - .now)
    else { return false }
    reactor.loop.stop()
    thread.withLock { $0 }?.join()
    return true
  }
}

/// Accepts connections.
private final class Acceptor: EventSource, @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.
  private let listener: Listener
  private let reactor: Reactor
  private var hasStopped = false

  init(_ listener: consuming Listener, _ reactor: Reactor) {
    self.listener = listener
    self.reactor = reactor
  }

  func start() {
    reactor.loop.watch(listener.descriptor, for: .input, self)
    acceptAll()
  }

  func isReady(_ readiness: EventLoop.Readiness) { acceptAll() }

  /// Accepts all connections in the backlog, before and after the shutdown. The end of listening resets those of TCP,
  /// but a client that connects to a Unix socket in between would wait for ever.
  func stop() {
    reactor.loop.forget(listener.descriptor)
    hasStopped = true
    while let connection = listener.accept() { reactor.add(connection) }
    listener.stopListening()
    while let connection = listener.accept() { reactor.add(connection) }
  }

  private func acceptAll() {
    // Bounded, so that connections that are there get their turn.
    for _ in 0..<64 {
      guard !hasStopped else { return }
      guard let connection = listener.accept() else {
        guard errno != EAGAIN else { return }
        // Out of descriptors: a web server that is let go asks the registry at once, instead of waiting.
        if errno == EMFILE || errno == ENFILE, listener.turnAway() { continue }
        // Others may wait behind a connection that has failed. Source: accept(2), "Error handling".
        return tryAgain(after: .milliseconds(10))
      }
      reactor.add(connection)
    }
    tryAgain(after: .zero)
  }

  private func tryAgain(after pause: Duration) {
    reactor.loop.after(pause) { [self] in acceptAll() }
  }
}
