internal import Threading

/// A request whose answer's head is all that is wanted, and who waits for it.
///
/// It is small: some thousands may stand in line.
final class Question {
  let head: [UInt8]
  let isHead: Bool
  let limits: HTTPLimits
  private let isWanted: () -> Bool
  private var then: ((Result<HTTPResponseHead, TransportError>) -> Void)?
  /// Ends the waiting, in the line and then on the wire.
  var timer: LoopTimer?
  /// The server that it was sent to, and the group that it counts for there.
  var onWire: (server: Server, group: QuestionGroup)?
  /// Whether a connection was gone before anything came of it.
  var isRepeated = false

  init(
    _ request: HTTPRequest, to origin: Origin, target: Substring, isWanted: @escaping () -> Bool,
    then: @escaping (Result<HTTPResponseHead, TransportError>) -> Void
  ) {
    head = request.head(target: target, authority: origin.authority)
    isHead = request.method == .head
    limits = request.limits
    self.isWanted = isWanted
    self.then = then
  }

  var isOver: Bool { then == nil || !isWanted() }

  /// Those who asked have gone: that says nothing of the server.
  func endUnwanted() { end(.failure(TransportError(.stopped, "nobody waits for it"))) }

  func end(_ result: Result<HTTPResponseHead, TransportError>) {
    timer?.cancel()
    timer = nil
    if let (server, group) = onWire.take() { server.leave(group) }
    then.take()?(result)
  }
}

extension HTTPRequest {
  /// As it goes out. Source: RFC 9112 §3, §5.
  fileprivate func head(target: Substring, authority: String) -> [UInt8] {
    let hasHost = fields.first(named: "host") != nil
    // Each field has two separators of two bytes.
    let size = fields.reduce(target.utf8.count + authority.utf8.count + 32) {
      $0 + $1.name.utf8.count + $1.value.count + 4
    }
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      func put(_ piece: Span<UInt8>) {
        unsafe piece.withUnsafeBytes { piece in
          unsafe UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]
          )
          .copyMemory(from: piece)
        }
        count += piece.count
      }
      func put(_ text: String) { put(text.utf8.span) }
      put(method.rawValue)
      put(" ")
      put(target.utf8.span)
      put(" HTTP/1.1\r\n")
      if !hasHost {
        put("Host: ")
        put(authority)
        put("\r\n")
      }
      for field in fields {
        put(field.name)
        put(": ")
        put(field.value.span)
        put("\r\n")
      }
      put("\r\n")
    }
  }
}
