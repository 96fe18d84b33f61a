internal import CFastCGI
internal import CLinux
internal import Glibc

/// One request that a web server has made, and the way to answer it.
///
/// It ends by `finish()`, or by `abort()`; one that is let go of without either is aborted, so that the
/// web server sees a broken answer and asks the registry.
@safe
package final class Request: @unchecked Sendable {
  // @unchecked: one thread at a time has the request; it goes from one to the next through a queue.
  private let raw: UnsafeMutablePointer<FCGX_Request>
  private let connection: Int32
  private let connections: Connections
  private var isEnded = false
  private var isFlushed = false

  /// Reads a request from a connection; waits for it, if it is not whole yet.
  ///
  /// - Returns: `nil` when what came was no request; the connection is closed then.
  init?(on connection: Int32, of connections: Connections) {
    self.connection = connection
    self.connections = connections
    unsafe raw = .allocate(capacity: 1)
    unsafe FCGX_InitRequest(raw, -1, 0)
    // With a descriptor and keepConnection set, FCGX_Accept_r reads from it and does not call accept.
    unsafe raw.pointee.ipcFd = connection
    unsafe raw.pointee.keepConnection = 1
    guard unsafe FCGX_Accept_r(raw) == 0 else {
      // libfcgi has closed it.
      isEnded = true
      connections.forget(connection)
      return nil
    }
  }

  deinit {
    if !isEnded { abort() }
    unsafe raw.deallocate()
  }

  /// Lends the value of a param; `nil` when there is none. The first of duplicates counts.
  package func withParameter<Result>(_ name: StaticString, _ body: (Span<UInt8>) -> Result)
    -> Result?
  {
    name.withUTF8Buffer { name in
      guard let value = unsafe value(of: name) else { return nil }
      let bytes = unsafe UnsafeBufferPointer(
        start: UnsafeRawPointer(value).assumingMemoryBound(to: UInt8.self), count: strlen(value))
      return body(unsafe bytes.span)
    }
  }

  /// A copy of the value of a param.
  package func parameter(_ name: StaticString) -> [UInt8]? {
    withParameter(name) { value in unsafe value.withUnsafeBufferPointer { unsafe Array($0) } }
  }

  /// Whether the web server asks for an answer, and not for an authorization or a filter.
  package var isForResponder: Bool { unsafe raw.pointee.role == FCGI_RESPONDER }

  /// Answers with a head and a small body, and ends the request.
  package func answer(_ head: consuming ResponseHead, body: [UInt8] = []) {
    begin(head)
    put(body)
    finish()
  }

  /// Sends the head; the body follows by `put` or `send`.
  package func begin(_ head: consuming ResponseHead) {
    put(head.bytes())
  }

  /// Adds bytes to the body.
  ///
  /// - Returns: `false` when the web server has gone.
  @discardableResult
  package func put(_ bytes: [UInt8]) -> Bool {
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
  package func send(file: Int32, offset: Int64, count: Int64) -> Bool {
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
  package func keepAlive() -> Bool {
    flush() && sendRecordHeader(type: UInt8(FCGI_STDERR), contentLength: 0, more: false)
  }

  /// Ends the request; the connection may bring the next one.
  package func finish() {
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
  package func abort() {
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

  /// FCGX_GetParam without a C string for the name.
  @unsafe private func value(of name: UnsafeBufferPointer<UInt8>) -> UnsafePointer<CChar>? {
    guard var entry = unsafe raw.pointee.envp else { return nil }
    while let pair = unsafe entry.pointee {
      if unsafe memcmpUpTo(pair, name), unsafe pair[name.count] == CChar(UInt8(ascii: "=")) {
        return unsafe UnsafePointer(pair + name.count + 1)
      }
      unsafe entry += 1
    }
    return nil
  }
}

/// Whether the C string begins with `name`.
@unsafe private func memcmpUpTo(
  _ pair: UnsafeMutablePointer<CChar>, _ name: UnsafeBufferPointer<UInt8>
) -> Bool {
  for i in 0..<name.count {
    // A NUL differs from every byte of a name, so this stops at the string's end.
    guard unsafe UInt8(bitPattern: pair[i]) == name[i] else { return false }
  }
  return true
}
