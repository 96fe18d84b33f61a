internal import CFastCGI
internal import CLinux
internal import Glibc

/// A request that has come on a connection, as records of FastCGI.
@safe
final class FastCGIRequest: Request, @unchecked Sendable {
  // @unchecked: as the request.
  private let raw: UnsafeMutablePointer<FCGX_Request>
  private let connection: Int32
  private let connections: Connections
  private var isEnded = false
  private var isFlushed = false

  /// Reads a request from a connection; waits for it, if it is not whole yet.
  ///
  /// - Returns: `nil` when what came was no request; the connection is closed then.
  init?(on connection: Int32, of connections: Connections) {
    let raw = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
    unsafe FCGX_InitRequest(raw, -1, 0)
    // With a descriptor and keepConnection set, FCGX_Accept_r reads from it and does not call accept.
    unsafe raw.pointee.ipcFd = connection
    unsafe raw.pointee.keepConnection = 1
    // Else libfcgi, before it closes what is no request, waits for the other side with select(2): up to 2 s, on
    // a reactor's thread, and with a descriptor beyond 1023 libc ends the process.
    unsafe FCGX_Detach(raw)
    guard unsafe FCGX_Accept_r(raw) == 0 else {
      // libfcgi has closed it.
      connections.forget(connection)
      unsafe raw.deallocate()
      return nil
    }
    unsafe self.raw = unsafe raw
    self.connection = connection
    self.connections = connections
    unsafe super.init(Role(unsafe raw.pointee.role), unsafe raw.pointee.envp, isOfOwnProcess: false)
  }

  deinit {
    if !isEnded { abort() }
    unsafe raw.deallocate()
  }

  override package func write(_ bytes: Span<UInt8>) -> Bool {
    isFlushed = false
    return unsafe bytes.withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return true }
      return unsafe start.withMemoryRebound(to: CChar.self, capacity: bytes.count) { start in
        unsafe FCGX_PutStr(start, Int32(bytes.count), raw.pointee.out) >= 0
      }
    }
  }

  /// Adds `count` bytes of a file to the body: the kernel moves them, from the page cache to the socket.
  ///
  /// The records are written here: libfcgi's are of 8 KiB, copied through its buffer.
  ///
  /// - Returns: `false` when the web server has gone, or takes nothing for minutes.
  override package func send(file: Int32, offset: Int64, count: Int64) -> Bool {
    guard flush() else { return false }
    var at = off_t(offset)
    let end = off_t(offset + count)
    while at < end {
      let recordEnd = min(end, at + Self.recordBytes)
      guard
        sendRecordHeader(
          type: UInt8(FCGI_STDOUT), contentLength: UInt16(recordEnd - at), more: true)
      else {
        return false
      }
      while at < recordEnd {
        let sent = unsafe sendfile(connection, file, &at, recordEnd - at)
        guard sent > 0 || (sent < 0 && errno == EINTR) else { return false }
      }
    }
    return true
  }

  /// Tells the web server that we are alive while there is nothing to send: an empty record of the
  /// error stream, which web servers read and ignore. Its read timeout starts anew.
  ///
  /// - Returns: `false` when the web server has gone.
  override package func keepAlive() -> Bool {
    flush() && sendRecordHeader(type: UInt8(FCGI_STDERR), contentLength: 0, more: false)
  }

  /// Ends the request; the connection may bring the next one.
  override package func finish() {
    guard !isEnded else { return }
    isEnded = true
    // What is not read of the request would be taken for the next one.
    guard drain() else {
      close()
      return
    }
    // A connection that is not kept is closed at once, without waiting for the web server to do so.
    if unsafe raw.pointee.keepConnection == 0 { unsafe FCGX_Detach(raw) }
    unsafe FCGX_Finish_r(raw)
    if unsafe raw.pointee.ipcFd >= 0 {
      connections.await(connection)
    } else {
      connections.forget(connection)
    }
  }

  /// Breaks the answer off, so that the web server can't take it for a whole one.
  override package func abort() {
    guard !isEnded else { return }
    isEnded = true
    close()
  }

  private func close() {
    unsafe FCGX_Detach(raw)
    unsafe FCGX_Free(raw, 1)
    connections.forget(connection)
  }

  /// Reads the rest of the request's body, if there is any; `false` when it is too long to be ours.
  private func drain() -> Bool {
    // An authorizer is sent no body, nor the record that ends one: it would be waited for.
    guard role != .authorizer else { return true }
    var scratch = InlineArray<1024, CChar>(repeating: 0)
    for _ in 0..<1024 {
      var span = scratch.mutableSpan
      let count = unsafe span.withUnsafeMutableBufferPointer { buffer in
        unsafe FCGX_GetStr(buffer.baseAddress, Int32(buffer.count), raw.pointee.in)
      }
      if count <= 0 { return true }
    }
    return false
  }

  private func flush() -> Bool {
    guard !isFlushed else { return true }
    isFlushed = unsafe FCGX_FFlush(raw.pointee.out) >= 0
    return isFlushed
  }

  private static let recordBytes: off_t = 65_528

  private func sendRecordHeader(type: UInt8, contentLength: UInt16, more: Bool) -> Bool {
    let id = unsafe UInt16(truncatingIfNeeded: raw.pointee.requestId)
    let header: InlineArray<8, UInt8> = [
      1, type, UInt8(id >> 8), UInt8(id & 0xFF), UInt8(contentLength >> 8),
      UInt8(contentLength & 0xFF), 0, 0,
    ]
    let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
    return unsafe header.span.withUnsafeBufferPointer { bytes in
      unsafe Glibc.send(connection, bytes.baseAddress, bytes.count, flags) == bytes.count
    }
  }
}

extension Request.Role {
  fileprivate init(_ number: Int32) {
    switch number {
    case FCGI_RESPONDER: self = .responder
    case FCGI_AUTHORIZER: self = .authorizer
    default: self = .other
    }
  }
}
