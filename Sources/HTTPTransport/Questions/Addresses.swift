internal import Glibc
internal import Threading

/// A server's addresses: its name is looked up by a thread that may wait, once for all who ask meanwhile, and
/// again after some time.
final class Addresses: @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.

  struct Address: Equatable, Sendable {
    let family: Int32
    let bytes: [UInt8]

    /// A socket that connects to it.
    ///
    /// - Returns: `nil` when that fails at once; `errno` says why.
    func connect() -> Int32? {
      let kind =
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
      let descriptor = socket(family, kind, 0)
      guard descriptor >= 0 else { return nil }
      var isOn: Int32 = 1
      _ = unsafe setsockopt(
        descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
      let result = unsafe bytes.withUnsafeBytes { bytes in
        unsafe Glibc.connect(
          descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
          socklen_t(bytes.count))
      }
      guard result == 0 || errno == EINPROGRESS else {
        let code = errno
        close(descriptor)
        errno = code
        return nil
      }
      return descriptor
    }
  }

  private static let life = Duration.seconds(30)

  private let host: String
  private let port: UInt16
  private let loop: EventLoop
  private(set) var known: [Address] = []
  private(set) var failure: String?
  private var end = ContinuousClock.now
  private var isAsking = false

  init(_ origin: Origin, _ loop: EventLoop) {
    host = origin.host
    port = origin.port
    self.loop = loop
    // An address needs no look-up.
    known = (try? look(up: host, port, isAddress: true)) ?? []
    if !known.isEmpty { end = .now + .seconds(1 << 40) }
  }

  /// Has `then` called when the addresses are known, or can't be found; at once where they are.
  ///
  /// - Returns: whether they are known now.
  func isReady(_ then: @escaping @Sendable () -> Void) -> Bool {
    if ContinuousClock.now < end { return !known.isEmpty || failure != nil }
    guard !isAsking else { return !known.isEmpty }
    isAsking = true
    let (host, port, loop) = (host, port, loop)
    let thread = Thread.start("resolve") {
      let found = Result { () throws(TransportError) in try look(up: host, port, isAddress: false) }
      loop.submit {
        self.take(found)
        then()
      }
    }
    guard let thread else {
      take(.failure(TransportError(.connect, "the system has no thread to look the name up")))
      return true
    }
    thread.detach()
    return !known.isEmpty
  }

  /// The one that has just answered is asked first.
  func prefer(_ address: Address) {
    guard known.first != address, let index = known.firstIndex(of: address) else { return }
    known.insert(known.remove(at: index), at: 0)
  }

  private func take(_ found: Result<[Address], TransportError>) {
    isAsking = false
    switch found {
    case .success(let addresses):
      let first = known.first
      known = addresses
      if let first { prefer(first) }
      failure = nil
      end = .now + Self.life
    case .failure(let error):
      // What was known may still be right.
      failure = error.message
      end = .now + .seconds(1)
    }
  }
}

private func look(
  up host: String, _ port: UInt16, isAddress: Bool
) throws(TransportError) -> [Addresses.Address] {
  var hints = unsafe addrinfo()
  unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  unsafe hints.ai_flags = isAddress ? AI_NUMERICHOST : AI_ADDRCONFIG
  var found: UnsafeMutablePointer<addrinfo>?
  let result = unsafe getaddrinfo(host, String(port), &hints, &found)
  guard result == 0 else {
    throw TransportError(.connect, "\(host): \(unsafe String(cString: gai_strerror(result)))")
  }
  defer { unsafe freeaddrinfo(found) }
  var addresses: [Addresses.Address] = []
  var next = unsafe found
  while let info = unsafe next {
    let bytes = unsafe UnsafeRawBufferPointer(
      start: info.pointee.ai_addr, count: Int(info.pointee.ai_addrlen))
    addresses.append(
      Addresses.Address(family: unsafe info.pointee.ai_family, bytes: unsafe Array(bytes)))
    unsafe next = unsafe info.pointee.ai_next
  }
  return addresses
}
