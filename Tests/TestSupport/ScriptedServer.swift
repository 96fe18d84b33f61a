import Foundation
import Glibc
import Synchronization

/// A request as it came.
package struct ReceivedRequest: Sendable {
  package let head: [UInt8]
  package let body: [UInt8]

  package var lines: [String] {
    String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n").filter { !$0.isEmpty }
  }

  package func has(_ field: String) -> Bool {
    lines.contains { $0.lowercased().hasPrefix(field.lowercased() + ":") }
  }
}

/// What the server does with a request.
package struct Reply: Sendable {
  package enum End: Sendable {
    case keep, close
    /// Says nothing more until the client goes.
    case stall
  }

  package let pieces: [[UInt8]]
  package let end: End
  /// What passes between two pieces.
  let pause: @Sendable () -> Void

  /// - Parameter pieces: each sent by itself, a moment after the one before.
  package init(pieces: [String], _ end: End = .keep, pause: UInt32 = 2000) {
    self.init(pieces: pieces, end) { usleep(pause) }
  }

  package init(pieces: [String], _ end: End, pause: @escaping @Sendable () -> Void) {
    self.pieces = pieces.map { Array($0.utf8) }
    self.end = end
    self.pause = pause
  }

  package init(_ text: String, _ end: End = .keep) { self.init(pieces: [text], end) }
}

/// A small HTTP/1.1 server on the loopback, a thread for each connection.
package final class ScriptedServer: Sendable {
  private let descriptor: Int32
  package let port: UInt16
  private let log = Log()

  /// - Parameter early: whether the answer is given before the body is read.
  package init(early: Bool = false, _ script: @escaping @Sendable (ReceivedRequest) -> Reply) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    descriptor = listener
    var address = loopback(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(unsafe bind(listener, $0, length) == 0 && listen(listener, 512) == 0)
        precondition(unsafe getsockname(listener, $0, &length) == 0)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    let log = log
    Foundation.Thread.detachNewThread {
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0, errno == EINTR || errno == ECONNABORTED { continue }
        if connection < 0, errno == EMFILE || errno == ENFILE {
          usleep(20_000)
          continue
        }
        guard connection >= 0 else { break }
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        log.accepted()
        let socket = TestSocket(connection)
        Foundation.Thread.detachNewThread { serve(socket, early, log, script) }
      }
      close(listener)
    }
  }

  deinit { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }

  package var url: String { "http://127.0.0.1:\(port)" }
  package var requests: [ReceivedRequest] { log.state.withLock { $0.requests } }
  package var accepts: Int { log.state.withLock { $0.accepts } }
  /// Replies that were sent, or whose client had gone.
  package var replies: Int { log.state.withLock { $0.replies } }
}

private final class Log: Sendable {
  struct State {
    var requests: [ReceivedRequest] = []
    var accepts = 0
    var replies = 0
  }
  let state = Mutex(State())
  func accepted() { state.withLock { $0.accepts += 1 } }
}

private func serve(
  _ socket: TestSocket, _ early: Bool, _ log: Log, _ script: (ReceivedRequest) -> Reply
) {
  var input: [UInt8] = []
  while let request = readRequest(socket, early, &input) {
    log.state.withLock { $0.requests.append(request) }
    let reply = script(request)
    let isSent = send(reply, socket)
    log.state.withLock { $0.replies += 1 }
    guard isSent else { return }
    switch reply.end {
    case .keep: continue
    case .close: return
    case .stall:
      while !socket.receive().isEmpty {}
      return
    }
  }
}

private func send(_ reply: Reply, _ socket: TestSocket) -> Bool {
  for (i, piece) in reply.pieces.enumerated() {
    if i > 0 { reply.pause() }
    guard socket.send(piece) else { return false }
  }
  return true
}

private func readRequest(
  _ socket: TestSocket, _ early: Bool, _ input: inout [UInt8]
) -> ReceivedRequest? {
  let end = Array("\r\n\r\n".utf8)
  while !input.contains(end) {
    let more = socket.receive()
    if more.isEmpty { return nil }
    input += more
  }
  let headEnd = input.firstRange(of: end)!.upperBound
  let head = Array(input[..<headEnd])
  input.removeSubrange(..<headEnd)
  let length =
    String(decoding: head, as: UTF8.self).lowercased()
    .components(separatedBy: "\r\n").first { $0.hasPrefix("content-length: ") }
    .flatMap { Int($0.dropFirst(16)) } ?? 0
  if early { return ReceivedRequest(head: head, body: []) }
  while input.count < length {
    let more = socket.receive()
    if more.isEmpty { return nil }
    input += more
  }
  let body = Array(input.prefix(length))
  input.removeSubrange(..<length)
  return ReceivedRequest(head: head, body: body)
}
