package import Glibc

/// One end of a stream socket: blocking, with a test's patience.
package final class TestSocket: Sendable {
  package let descriptor: Int32

  package init(_ descriptor: Int32) {
    self.descriptor = descriptor
    var limit = timeval(tv_sec: time_t(patience.components.seconds), tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
  }

  deinit { close(descriptor) }

  /// Connects to the loopback; `nil` when nobody listens.
  package init?(port: UInt16) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port)
    let result = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { return nil }
    var limit = timeval(tv_sec: time_t(patience.components.seconds), tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
  }

  /// Connects to a Unix socket; `nil` when nobody listens.
  package convenience init?(unix path: String) {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let result = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    self.init(descriptor)
    if result != 0 { return nil }
  }

  /// Whether bytes that were sent over a Unix socket are still in the other end's. Source: unix(7), SIOCOUTQ.
  package var hasUnread: Bool {
    var count: Int32 = 0
    return unsafe ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 && count > 0
  }

  /// Whether the other end takes more bytes.
  package func isWritable(within limit: Duration) -> Bool {
    var watched = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&watched, 1, Int32(limit / .milliseconds(1))) == 1
  }

  /// Sends as much as the other end takes at once; how many bytes.
  package func sendNow(_ bytes: [UInt8]) -> Int {
    max(
      0,
      unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(
          descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      })
  }

  /// - Returns: `false` when the other end has gone.
  @discardableResult
  package func send(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let sent = unsafe bytes.withUnsafeBytes { bytes in
        unsafe Glibc.send(
          descriptor, bytes.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      guard sent > 0 else { return false }
      done += sent
    }
    return true
  }

  /// What has come, or nothing at the end or when patience is over.
  package func receive(atMost count: Int = 65_536) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: count)
    let got = unsafe recv(descriptor, &buffer, count, 0)
    return Array(buffer.prefix(max(0, got)))
  }

  /// Exactly this many, or fewer at the end.
  package func receive(exactly count: Int) -> [UInt8] {
    var all: [UInt8] = []
    while all.count < count {
      let more = receive(atMost: count - all.count)
      if more.isEmpty { break }
      all += more
    }
    return all
  }

  /// Whether the other side has ended the connection, in time.
  package var hasEnded: Bool {
    var byte: UInt8 = 0
    return unsafe recv(descriptor, &byte, 1, 0) == 0
  }

  /// Says that nothing more will be sent.
  package func endSending() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

  package func shutDown() { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
}

package func loopback(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}
