internal import Glibc

/// The bytes of a connection, encrypted or not, on a socket that does not block.
struct ServerStream: ~Copyable {
  enum Progress {
    case bytes(Int)
    /// Nothing now.
    case later
    /// The server sends no more.
    case end
    case failed
  }

  let socket: Int32
  private var tls: TLSStream?

  init(socket: Int32) {
    self.socket = socket
    tls = nil
  }

  deinit { close(socket) }

  /// - Returns: whether the handshake is over.
  mutating func secure(_ context: TLSContext, host: String) throws(TransportError) -> Bool {
    if tls == nil { tls = try TLSStream(context, socket: socket, host: host) }
    return try tls?.handshake() ?? false
  }

  func keepSession() { tls?.keepSession() }

  func read(_ buffer: UnsafeMutableRawBufferPointer) -> Progress {
    if tls != nil { return unsafe tls?.read(buffer) ?? .failed }
    let count = unsafe recv(socket, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
    return progress(count)
  }

  func write(_ bytes: UnsafeRawBufferPointer) -> Progress {
    if tls != nil { return unsafe tls?.write(bytes) ?? .failed }
    let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
    let count = unsafe send(socket, bytes.baseAddress, bytes.count, flags)
    return progress(count)
  }

  private func progress(_ count: Int) -> Progress {
    if count > 0 { return .bytes(count) }
    if count == 0 { return .end }
    return errno == EAGAIN || errno == EINTR ? .later : .failed
  }
}
