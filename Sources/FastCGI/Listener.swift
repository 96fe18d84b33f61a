internal import CLinux
internal import Glibc
internal import Synchronization

/// The owner of a listening socket.
///
/// The socket is made here and not by libfcgi, whose `FCGX_OpenSocket` ends the process on a failure,
/// listens on all addresses, and lets the umask choose the mode.
package struct Listener: ~Copyable, Sendable {
  let descriptor: Int32
  package let isTCP: Bool
  package let address: ListenAddress
  private let socketFile: SocketFile?
  private let spare = SpareDescriptor()

  /// - Parameters:
  ///   - mode: permission bits of a Unix socket.
  ///   - group: the numeric group a Unix socket is given to; `nil` leaves it.
  package init(_ address: ListenAddress, mode: UInt32 = 0o660, group: UInt32? = nil)
    throws(ListenError)
  {
    self.address = address
    switch address {
    case .inherited(let descriptor):
      guard let family = listeningFamily(of: descriptor) else {
        throw ListenError(address, "is not a listening socket")
      }
      self.descriptor = descriptor
      isTCP = family != AF_UNIX
      socketFile = nil
    case .unix(let path):
      (descriptor, socketFile) = try listen(unix: path, address, mode: mode, group: group)
      isTCP = false
    case .tcp(let host, let port):
      descriptor = try listen(tcp: host, port, address)
      isTCP = true
      socketFile = nil
    }
    // accept must not wait: a connection may be gone, or another process may have taken it.
    setNonblocking(descriptor)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  /// The port in use, for an address with port 0.
  package var port: UInt16? {
    guard isTCP else { return nil }
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = unsafe withUnsafeMutablePointer(to: &storage) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &length)
      }
    }
    guard result == 0 else { return nil }
    // sin_port and sin6_port stand at the same place.
    return unsafe withUnsafePointer(to: &storage) {
      unsafe $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        unsafe UInt16(bigEndian: $0.pointee.sin_port)
      }
    }
  }

  /// A new connection, or `nil` when there is none to have now; `errno` says why.
  func accept() -> Int32? {
    let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = accept4(self.descriptor, nil, nil, flags)
    guard descriptor >= 0 else { return nil }
    if isTCP { setOption(descriptor, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, to: Int32(1)) }
    return descriptor
  }

  /// Closes a connection that waits, when the process has no descriptor left for it.
  ///
  /// - Returns: whether there was one.
  func turnAway() -> Bool {
    spare.lend {
      let connection = accept4(self.descriptor, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
      guard connection >= 0 else { return false }
      close(connection)
      return true
    }
  }

  /// Refuses new connections from now on, so that web servers turn elsewhere at once, and takes the socket's
  /// file away if it is still this one's. A socket that we were started with belongs to others too: it is
  /// left as it is.
  func stopListening() {
    if case .inherited = address { return }
    socketFile?.remove()
    _ = shutdown(descriptor, Int32(SHUT_RDWR))
  }

  deinit { _ = Glibc.close(descriptor) }
}

/// A descriptor that is kept for the time when no other is left.
private final class SpareDescriptor: Sendable {
  private let descriptor = Mutex(open())

  deinit { close(descriptor.withLock { $0 }) }

  /// Gives the descriptor up while `body` runs.
  func lend(_ body: () -> Bool) -> Bool {
    descriptor.withLock { descriptor in
      guard descriptor >= 0 else {
        descriptor = Self.open()
        return false
      }
      close(descriptor)
      defer { descriptor = Self.open() }
      return body()
    }
  }

  private static func open() -> Int32 { unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
}

/// A socket's place in the file system, known again by its inode: another process may put its own there.
struct SocketFile: Sendable {
  let path: String
  let device: dev_t
  let inode: ino_t

  init?(_ path: String) {
    var facts = stat()
    guard unsafe lstat(path, &facts) == 0 else { return nil }
    self.path = path
    device = facts.st_dev
    inode = facts.st_ino
  }

  func remove() {
    guard let now = SocketFile(path), now.device == device, now.inode == inode else { return }
    unsafe unlink(path)
  }
}

/// Binds under another name next to `path`, and moves the finished socket there: no client ever sees it with
/// another mode, or bound and not yet listening.
private func listen(
  unix path: String, _ address: ListenAddress, mode: UInt32, group: UInt32?
) throws(ListenError) -> (Int32, SocketFile?) {
  try makeWay(for: path, address)
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { throw ListenError(address, "socket", errno: errno) }
  let draft = "\(path).\(getpid())"
  unsafe unlink(draft)
  func fail(_ doing: String) -> ListenError {
    let code = errno
    unsafe unlink(draft)
    close(descriptor)
    return ListenError(address, doing, errno: code)
  }
  guard unsafe withUnixAddress(draft, { unsafe bind(descriptor, $0, $1) }) == 0 else {
    throw fail("bind")
  }
  guard unsafe chmod(draft, mode) == 0 else { throw fail("chmod") }
  if let group, unsafe chown(draft, uid_t.max, group) != 0 { throw fail("chown to group \(group)") }
  guard listen(descriptor, backlog) == 0 else { throw fail("listen") }
  guard unsafe rename(draft, path) == 0 else { throw fail("rename") }
  return (descriptor, SocketFile(path))
}

/// A socket that nobody listens on any more may be replaced; a live one, or another file, may not.
private func makeWay(for path: String, _ address: ListenAddress) throws(ListenError) {
  var facts = stat()
  guard unsafe lstat(path, &facts) == 0 else { return }
  guard facts.st_mode & S_IFMT == S_IFSOCK else {
    throw ListenError(
      address, "a file that is not a socket stands there; remove it or choose another path")
  }
  let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  defer { close(probe) }
  // Without O_NONBLOCK a full backlog would make us wait; with it that is EAGAIN, so: alive.
  setNonblocking(probe)
  guard unsafe withUnixAddress(path, { unsafe connect(probe, $0, $1) }) != 0, errno == ECONNREFUSED
  else {
    throw ListenError(address, "another process listens there; stop it or choose another path")
  }
}

private func listen(tcp host: String, _ port: UInt16, _ address: ListenAddress) throws(ListenError)
  -> Int32
{
  var hints = unsafe addrinfo()
  unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  var found: UnsafeMutablePointer<addrinfo>?
  let node = host.isEmpty ? "127.0.0.1" : host
  // A name's addresses of the kinds that this host has; an address as it is: the loopback's alone are no kind.
  unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST
  var result = unsafe getaddrinfo(node, String(port), &hints, &found)
  if result == EAI_NONAME {
    unsafe hints.ai_flags = AI_PASSIVE | AI_ADDRCONFIG
    result = unsafe getaddrinfo(node, String(port), &hints, &found)
  }
  guard result == 0, let first = unsafe found else {
    throw ListenError(address, unsafe String(cString: gai_strerror(result)))
  }
  defer { unsafe freeaddrinfo(found) }
  let info = unsafe first.pointee
  let descriptor = unsafe socket(
    info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), info.ai_protocol)
  guard descriptor >= 0 else { throw ListenError(address, "socket", errno: errno) }
  setOption(descriptor, level: SOL_SOCKET, name: SO_REUSEADDR, to: Int32(1))
  guard unsafe bind(descriptor, info.ai_addr, info.ai_addrlen) == 0,
    listen(descriptor, backlog) == 0
  else {
    let code = errno
    close(descriptor)
    throw ListenError(address, "bind", errno: code)
  }
  return descriptor
}

/// Connections that may wait for accept; the kernel cuts it to net.core.somaxconn.
private let backlog: Int32 = 4096
