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
  /// Called once, when it ends after it went on the wire.
  var leaveWire: (() -> Void)?
  /// Whether a connection was gone before anything came of it.
  var isRepeated = false

  init(
    _ request: HTTPRequest, to origin: Origin, target: String, isWanted: @escaping () -> Bool,
    then: @escaping (Result<HTTPResponseHead, TransportError>) -> Void
  ) {
    head = request.head(target: target, authority: origin.authority)
    isHead = request.method == .head
    limits = request.limits
    self.isWanted = isWanted
    self.then = then
  }

  var isOver: Bool { then == nil || !isWanted() }

  func end(_ result: Result<HTTPResponseHead, TransportError>) {
    timer?.cancel()
    timer = nil
    leaveWire?()
    leaveWire = nil
    let then = then
    self.then = nil
    then?(result)
  }
}

extension HTTPRequest {
  /// As it goes out. Source: RFC 9112 §3, §5.
  fileprivate func head(target: String, authority: String) -> [UInt8] {
    var head: [UInt8] = []
    head.reserveCapacity(
      target.utf8.count + 64 + fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.count + 4 })
    head += method.rawValue.utf8
    head += " ".utf8
    head += target.utf8
    head += " HTTP/1.1\r\n".utf8
    if fields.first(named: "host") == nil {
      head += "Host: ".utf8
      head += authority.utf8
      head += "\r\n".utf8
    }
    for field in fields {
      head += field.name.utf8
      head += ": ".utf8
      head += field.value
      head += "\r\n".utf8
    }
    head += "\r\n".utf8
    return head
  }
}
