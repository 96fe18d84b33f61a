internal import CLinux
internal import Glibc
internal import Threading

/// The connections that web servers keep to us. One with no request on it waits in an epoll set and
/// costs no thread.
///
/// Each is armed for one event only: who gets that event has the connection, until it gives it back.
final class Connections: Sendable {
  let epoll: Int32
  /// Open descriptors. A number can belong to a new connection before the old one is forgotten: hence a
  /// count, and no set.
  private let open = Monitor<[Int32: Int]>([:])
  private let limits: ConnectionLimits

  init(_ limits: ConnectionLimits) {
    self.limits = limits
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    precondition(epoll >= 0, "epoll_create1: \(systemWords(for: errno))")
  }

  deinit { _ = Glibc.close(epoll) }

  /// Takes a new connection in, and waits for its first request.
  func add(_ connection: Int32) {
    setOption(connection, timeout: SO_RCVTIMEO, limits.read)
    setOption(connection, timeout: SO_SNDTIMEO, limits.write)
    open.withLock { $0[connection, default: 0] += 1 }
    arm(connection, EPOLL_CTL_ADD)
  }

  /// Waits for the next request.
  func await(_ connection: Int32) { arm(connection, EPOLL_CTL_MOD) }

  /// The connection is closed.
  func forget(_ connection: Int32) {
    open.update { open in
      let count = open[connection, default: 1] - 1
      open[connection] = count == 0 ? nil : count
    }
  }

  func close(_ connection: Int32) {
    _ = Glibc.close(connection)
    forget(connection)
  }

  /// Lets no connection bring another request: an idle one reads its end at once, a busy one once it is
  /// given back. What is being answered goes on.
  func stopReading() {
    open.withLock { for connection in $0.keys { _ = shutdown(connection, Int32(SHUT_RD)) } }
  }

  /// Waits until no connection is open.
  ///
  /// - Returns: `false` when the time was over first.
  func waitUntilNone(for limit: Duration) -> Bool {
    open.wait(for: limit) { $0.isEmpty ? true : nil } ?? false
  }

  func watch(listener: Int32, isNew: Bool) { arm(listener, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD) }

  private func arm(_ descriptor: Int32, _ operation: Int32) {
    var event = unsafe epoll_event()
    unsafe event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLONESHOT.rawValue
    unsafe event.data.fd = descriptor
    _ = unsafe epoll_ctl(epoll, operation, descriptor, &event)
  }
}

/// How patient we are with a web server.
package struct ConnectionLimits: Sendable {
  /// For the rest of a request whose beginning is there.
  package var read: Duration
  /// For room to write: a web server that passes a body to a slow client makes us wait.
  package var write: Duration

  package init(read: Duration = .seconds(5), write: Duration = .seconds(300)) {
    self.read = read
    self.write = write
  }
}
