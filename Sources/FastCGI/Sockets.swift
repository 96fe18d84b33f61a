internal import CLinux
internal import Glibc

func setNonblocking(_ descriptor: Int32) {
  _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
}

/// Sets a socket option; one that can't be set costs speed or patience, never correctness.
func setOption<Value: BitwiseCopyable>(
  _ descriptor: Int32, level: Int32, name: Int32, to value: Value
) {
  var value = value
  _ = unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Value>.size))
}

func setOption(_ descriptor: Int32, timeout name: Int32, _ limit: Duration) {
  // All zeros would be no limit at all.
  let (seconds, attoseconds) = max(limit, .microseconds(1)).components
  setOption(
    descriptor, level: SOL_SOCKET, name: name,
    to: timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000)))
}

/// Runs `body` with the address of a Unix socket; `path` is known to fit.
func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32
{
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
  return unsafe withUnsafePointer(to: &address) {
    unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
}

/// The address family of a listening socket; `nil` for any other descriptor.
package func listeningFamily(of descriptor: Int32) -> Int32? {
  var isListening: Int32 = 0
  var family: Int32 = 0
  var length = socklen_t(MemoryLayout<Int32>.size)
  guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0,
    isListening != 0,
    unsafe getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0
  else { return nil }
  return family
}
