internal import Glibc

/// A TCP or Unix stream socket of a test: closed once, by `close()` or when it is let go of.
package final class LoopbackSocket: Sendable {
  package let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { Glibc.close(descriptor) }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// Listens on a free port of 127.0.0.1.
  package static func listen(backlog: Int32 = 512) -> LoopbackSocket {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port: 0)
    let code = unsafe withAddress(&address) { unsafe bind(descriptor, $0, $1) }
    precondition(code == 0 && Glibc.listen(descriptor, backlog) == 0, "no port to listen on")
    return LoopbackSocket(descriptor)
  }

  /// Keeps a free port of 127.0.0.1 for the one program that a test names it to, and does not listen itself.
  package static func reserve() -> LoopbackSocket {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var (address, one) = (loopback(port: 0), Int32(1))
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(4))
    let code = unsafe withAddress(&address) { unsafe bind(descriptor, $0, $1) }
    precondition(code == 0, "no port to keep")
    return LoopbackSocket(descriptor)
  }

  package static func connect(port: UInt16) throws -> LoopbackSocket {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let made = LoopbackSocket(descriptor)
    var address = loopback(port: port)
    guard unsafe withAddress(&address, { unsafe Glibc.connect(descriptor, $0, $1) }) == 0 else {
      throw Failure(description: "connect to port \(port): error \(errno)")
    }
    made.sendAtOnce()
    return made
  }

  package static func connect(unix path: String) throws -> LoopbackSocket {
    let made = LoopbackSocket(
      socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    guard unsafe withUnixAddress(path, { unsafe Glibc.connect(made.descriptor, $0, $1) }) == 0
    else { throw Failure(description: "connect to \(path): error \(errno)") }
    return made
  }

  /// Listens on a path, and leaves its file behind when it is let go of.
  package static func listen(unix path: String) throws -> LoopbackSocket {
    let made = LoopbackSocket(
      socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    guard unsafe withUnixAddress(path, { unsafe bind(made.descriptor, $0, $1) }) == 0,
      Glibc.listen(made.descriptor, 16) == 0
    else { throw Failure(description: "listen on \(path): error \(errno)") }
    return made
  }

  package var port: UInt16 {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &length)
      }
    }
    return UInt16(bigEndian: address.sin_port)
  }

  /// - Returns: `nil` once the listening socket is shut down.
  package func accept() -> LoopbackSocket? {
    while true {
      let descriptor = Glibc.accept(self.descriptor, nil, nil)
      if descriptor < 0, errno == EINTR || errno == ECONNABORTED { continue }
      guard descriptor >= 0 else { return nil }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      let made = LoopbackSocket(descriptor)
      made.sendAtOnce()
      return made
    }
  }

  private func sendAtOnce() {
    var one: Int32 = 1
    unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(4))
  }

  package enum Received: Sendable {
    case bytes([UInt8])
    case nothing
    case end
  }

  /// The bytes that are there, or come within `limit`.
  package func receive(upTo count: Int = 64 << 10, within limit: Duration = patience)
    -> Received
  {
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let (seconds, attoseconds) = limit.components
    let milliseconds = Int32(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    guard unsafe Glibc.poll(&poll, 1, milliseconds) > 0 else { return .nothing }
    var buffer = [UInt8](repeating: 0, count: count)
    let got = unsafe recv(descriptor, &buffer, count, 0)
    if got < 0, errno == EINTR { return .nothing }
    guard got > 0 else { return .end }
    return .bytes(Array(buffer[..<got]))
  }

  /// Exactly `count` bytes; `nil` when the other side ends before.
  package func receive(exactly count: Int) -> [UInt8]? {
    var all: [UInt8] = []
    while all.count < count {
      guard case .bytes(let bytes) = receive(upTo: count - all.count) else { return nil }
      all += bytes
    }
    return all
  }

  /// - Returns: `false` when the other side has gone.
  @discardableResult
  package func send(_ bytes: [UInt8]) -> Bool {
    var at = 0
    while at < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress! + at, bytes.count - at, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      at += count
    }
    return true
  }

  /// Wakes whoever reads or accepts here; the other side reads its end.
  package func shutdown() { Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }

  package func shutdownSending() { Glibc.shutdown(descriptor, Int32(SHUT_WR)) }

  /// The close to come is a reset.
  package func resetOnClose() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }
}

private func loopback(port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}

@unsafe private func withAddress(
  _ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
) -> Int32 {
  unsafe withUnsafePointer(to: &address) {
    unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}

@unsafe private func withUnixAddress(
  _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
) -> Int32 {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  let bytes = Array(path.utf8)
  precondition(bytes.count < 108, "the path of a socket has 107 bytes at most")
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
  return unsafe withUnsafePointer(to: &address) {
    unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
}
