internal import CFastCGI
internal import CLinux
internal import Glibc
internal import Threading

/// Who answers requests.
package protocol RequestHandler: Sendable {
  /// Takes a request over. Called on a reactor's thread: what would wait is handed to another thread.
  func handle(_ request: Request)
}

/// The FastCGI responder: one listening socket, any number of connections, a few threads.
///
/// A reactor's thread accepts, reads requests that are there as a whole, and calls the handler. A
/// request that is there in part goes to a thread that may wait for the rest.
package final class Responder: Sendable {
  private let listener: Listener
  private let handler: any RequestHandler
  private let connections: Connections
  private let slowReaders: ThreadPool<Void>
  private let stopSignal: Int32
  private let pulse = Pulse()
  private let reactors = Monitor<[Thread]>([])

  package init(
    _ listener: consuming Listener, limits: ConnectionLimits = ConnectionLimits(),
    handler: any RequestHandler
  ) {
    self.listener = listener
    self.handler = handler
    connections = Connections(limits)
    slowReaders = ThreadPool(name: "slow-reader", threadLimit: 16, queueLimit: 256) { () }
    stopSignal = eventfd(0, Int32(EFD_CLOEXEC))
    precondition(initFastCGI && stopSignal >= 0, "libfcgi or eventfd can't be initialised")
  }

  deinit { _ = Glibc.close(stopSignal) }

  /// Starts to accept and answer.
  ///
  /// - Parameter threads: reactor threads, 1 or more.
  /// - Returns: `false` when the system has no thread to give.
  package func start(threads: Int) -> Bool {
    connections.watch(listener: listener.descriptor, isNew: true)
    var event = unsafe epoll_event()
    // Not one-shot, never read: it wakes every reactor.
    unsafe event.events = EPOLLIN.rawValue
    unsafe event.data.fd = stopSignal
    _ = unsafe epoll_ctl(connections.epoll, EPOLL_CTL_ADD, stopSignal, &event)
    unsafe event.data.fd = pulse.descriptor
    _ = unsafe epoll_ctl(connections.epoll, EPOLL_CTL_ADD, pulse.descriptor, &event)
    for _ in 0..<threads {
      guard let thread = Thread.start("reactor", { self.react() }) else { return false }
      reactors.withLock { $0.append(thread) }
    }
    return true
  }

  /// Whether a reactor takes an event that is sent to it now.
  package func isResponsive(within limit: Duration) -> Bool { pulse.isFelt(within: limit) }

  /// Takes no more requests, and waits for those in flight.
  ///
  /// - Returns: `false` when some were still in flight after `limit`.
  package func stop(within limit: Duration) -> Bool {
    _ = epoll_ctl(connections.epoll, EPOLL_CTL_DEL, listener.descriptor, nil)
    // Who has got as far as the backlog is still served. That of TCP is reset with the listening, but he who
    // comes to a Unix socket in that instant would never hear that he waits in vain: hence twice.
    acceptAll()
    listener.stopListening()
    while acceptAll() {}
    connections.stopReading()
    let isDone = connections.waitUntilNone(for: limit)
    _ = eventfd_write(stopSignal, 1)
    for thread in reactors.withLock({ $0 }) { thread.join() }
    slowReaders.close()
    return isDone
  }

  private func react() {
    let peekBytes = 32 << 10
    let peek = UnsafeMutableRawBufferPointer.allocate(byteCount: peekBytes, alignment: 16)
    defer { unsafe peek.deallocate() }
    var events = unsafe [epoll_event](repeating: epoll_event(), count: 16)
    while true {
      let count = unsafe epoll_wait(connections.epoll, &events, Int32(events.count), -1)
      for i in 0..<Int(max(0, count)) {
        let descriptor = unsafe events[i].data.fd
        if descriptor == stopSignal { return }
        if descriptor == listener.descriptor {
          acceptAll()
        } else if descriptor == pulse.descriptor {
          pulse.beat()
        } else if connections.take(descriptor) {
          // An end of the connection must not be read as a request.
          let isOnlyInput = unsafe events[i].events == EPOLLIN.rawValue
          if !isOnlyInput { connections.noteEnd(descriptor) }
          if isOnlyInput, connections.isTrusted(descriptor) {
            read(descriptor)
          } else {
            unsafe look(descriptor, peek)
          }
        }
      }
    }
  }

  /// - Returns: whether there may be more.
  @discardableResult private func acceptAll() -> Bool {
    defer { connections.watch(listener: listener.descriptor, isNew: false) }
    // Bounded, so that connections that are there get their turn.
    for _ in 0..<64 {
      guard let connection = listener.accept() else {
        // Out of descriptors: the connection stays in the backlog; trying again at once would only burn time.
        if errno == EMFILE || errno == ENFILE { usleep(10_000) }
        return false
      }
      _ = connections.add(connection)
    }
    return true
  }

  /// Something has come on a connection, or it has ended: looks before it is read.
  ///
  /// A web server on a Unix socket writes a request in one piece. One that has done so is trusted to do so
  /// again, which saves a system call for each request; should it not, the reading gives up after
  /// `ConnectionLimits.trusted`, and the connection with it.
  @unsafe private func look(_ connection: Int32, _ buffer: UnsafeMutableRawBufferPointer) {
    let flags = Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)
    let count = unsafe recv(connection, buffer.baseAddress, buffer.count, flags)
    guard count > 0 else {
      if count < 0, errno == EAGAIN || errno == EINTR {
        connections.await(connection)
      } else {
        connections.close(connection)
      }
      return
    }
    switch unsafe scan(buffer, count) {
    case .whole:
      if !listener.isTCP { connections.trust(connection, true) }
      read(connection)
    case .broken: connections.close(connection)
    case .params, .part:
      connections.trust(connection, false)
      if !slowReaders.submit({ [self] _ in readSlowly(connection) }) {
        connections.close(connection)
      }
    }
  }

  /// Waits until the params are there and known to be sound, then reads; on a thread that may wait.
  private func readSlowly(_ connection: Int32) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    defer { unsafe buffer.deallocate() }
    let deadline = ContinuousClock.now + connections.limits.read
    while ContinuousClock.now < deadline {
      let count = unsafe recv(
        connection, buffer.baseAddress, buffer.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      // The connection has ended; or more params than any web server lets through.
      if count == 0 || count == buffer.count { break }
      switch unsafe count < 0 ? .part : scan(buffer, count) {
      case .whole, .params: return read(connection)
      case .broken: return connections.close(connection)
      case .part:
        // What is there already keeps a poll from waiting for more; but it tells that none will come.
        if isOver(connection) { return connections.close(connection) }
        usleep(2000)
      }
    }
    connections.close(connection)
  }

  /// Whether nothing more will come: the other side has gone, or we have stopped reading.
  private func isOver(_ connection: Int32) -> Bool {
    var state = pollfd()
    state.fd = connection
    state.events = clinux_pollrdhup
    return unsafe poll(&state, 1, 0) > 0
  }

  @unsafe private func scan(
    _ buffer: UnsafeMutableRawBufferPointer, _ count: Int
  ) -> RecordScanner.Finding {
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
    return unsafe RecordScanner.scan(bytes.span)
  }

  private func read(_ connection: Int32) {
    guard let request = FastCGIRequest(on: connection, of: connections) else { return }
    handler.handle(request)
  }
}

/// Once per process, before any thread calls libfcgi. Its signal handlers are put aside: SIGPIPE is
/// ignored, the others are the program's own to set.
private let initFastCGI: Bool = {
  guard FCGX_Init() == 0 else { return false }
  signal(SIGPIPE, SIG_IGN)
  signal(SIGUSR1, SIG_DFL)
  signal(SIGTERM, SIG_DFL)
  return true
}()
