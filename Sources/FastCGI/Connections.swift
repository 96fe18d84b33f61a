internal import CLinux
internal import Glibc
internal import Synchronization
internal import Threading

/// The connections that web servers keep to us. One with no request on it waits in an epoll set and
/// costs no thread.
///
/// The set is edge-triggered, so that the next request on a connection costs no system call to wait for.
/// Who has a connection is kept in its state:
///
///     idle ──event──▶ busy ──event──▶ busy, more has come
///      ▲               │                       │
///      └──given back───┘        given back: an event is asked for anew
final class Connections: Sendable {
  let epoll: Int32
  private let states: ConnectionStates
  /// Open descriptors. A number can belong to a new connection before the old one is forgotten: hence a
  /// count, and no set.
  private let open = Monitor(Open())
  private struct Open {
    var counts: [Int32: Int] = [:]
    var isStopping = false
  }

  let limits: ConnectionLimits

  init(_ limits: ConnectionLimits) {
    self.limits = limits
    states = ConnectionStates()
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    precondition(epoll >= 0, "epoll_create1: \(systemWords(for: errno))")
  }

  deinit { _ = Glibc.close(epoll) }

  /// Takes a new connection in, and waits for its first request.
  ///
  /// - Returns: `false` when there are too many; it is closed then.
  func add(_ connection: Int32) -> Bool {
    guard states.reset(connection) else {
      _ = Glibc.close(connection)
      return false
    }
    setOption(connection, timeout: SO_RCVTIMEO, limits.read)
    setOption(connection, timeout: SO_SNDTIMEO, limits.write)
    let isStopping = open.withLock { open in
      open.counts[connection, default: 0] += 1
      return open.isStopping
    }
    control(EPOLL_CTL_ADD, connection, EPOLLET.rawValue)
    if isStopping { _ = shutdown(connection, Int32(SHUT_RD)) }
    return true
  }

  /// Takes a connection for which an event has come.
  ///
  /// - Returns: `false` when somebody has it, who will see that more has come.
  func take(_ connection: Int32) -> Bool { states.take(connection) }

  /// Notes that the connection has ended, or that we read no more of it; said by whoever has it. An end that
  /// came in one event with a request is not told again by itself.
  func noteEnd(_ connection: Int32) { states.note(connection) }

  /// Whether the connection's requests come whole; asked and said by whoever has it.
  func isTrusted(_ connection: Int32) -> Bool { states.isTrusted(connection) }

  func trust(_ connection: Int32, _ isTrusted: Bool) {
    guard states.trust(connection, isTrusted) else { return }
    setOption(connection, timeout: SO_RCVTIMEO, isTrusted ? limits.trusted : limits.read)
  }

  /// Gives a connection back, to wait for the next request.
  func await(_ connection: Int32) {
    if !states.giveBack(connection) { control(EPOLL_CTL_MOD, connection, EPOLLET.rawValue) }
  }

  /// The connection is closed.
  func forget(_ connection: Int32) {
    open.update { open in
      let count = open.counts[connection, default: 1] - 1
      open.counts[connection] = count == 0 ? nil : count
    }
  }

  func close(_ connection: Int32) {
    _ = Glibc.close(connection)
    forget(connection)
  }

  /// Lets no connection bring another request: an idle one reads its end at once, a busy one once it is
  /// given back. What is being answered goes on.
  func stopReading() {
    open.withLock { open in
      open.isStopping = true
      for connection in open.counts.keys { _ = shutdown(connection, Int32(SHUT_RD)) }
    }
  }

  /// Waits until no connection is open.
  ///
  /// - Returns: `false` when the time was over first.
  func waitUntilNone(for limit: Duration) -> Bool {
    open.wait(for: limit) { $0.counts.isEmpty ? true : nil } ?? false
  }

  /// Waits for one event of a listening socket, so that one thread of several accepts.
  func watch(listener: Int32, isNew: Bool) {
    control(isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, listener, EPOLLONESHOT.rawValue)
  }

  private func control(_ operation: Int32, _ descriptor: Int32, _ mode: UInt32) {
    var event = unsafe epoll_event()
    unsafe event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | mode
    unsafe event.data.fd = descriptor
    _ = unsafe epoll_ctl(epoll, operation, descriptor, &event)
  }
}

/// How patient we are with a web server.
package struct ConnectionLimits: Sendable {
  /// For the rest of a request whose beginning is there, on a thread that may wait.
  package var read: Duration
  /// The same on a reactor's thread, for a connection whose requests have come whole so far.
  package var trusted: Duration
  /// For room to write: a web server that passes a body to a slow client makes us wait.
  package var write: Duration

  package init(
    read: Duration = .seconds(5), trusted: Duration = .milliseconds(50),
    write: Duration = .seconds(300)
  ) {
    self.read = read
    self.trusted = trusted
    self.write = write
  }
}
