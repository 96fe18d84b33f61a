/// One request that a web server has made, and the way to answer it, over FastCGI or as a CGI process.
///
/// It ends by `finish()`, or by `abort()`; one that is let go of without either is aborted, so that the
/// web server sees a broken answer and asks the registry.
public class Request: @unchecked Sendable {
  // @unchecked: one thread at a time has the request; it goes from one to the next through a queue.

  /// What the web server asks for. Source: FastCGI 1.0 §6.
  package enum Role: Sendable {
    case responder, authorizer, other
  }

  package let role: Role
  /// Whether the process was started for this request alone; its settings are among the params then.
  package let isOfOwnProcess: Bool
  /// What this request is called in logs, once its handler has said so.
  package final var identifier: [UInt8]?
  private let params: Params
  /// The bytes of `params`.
  @usableFromInline final let encoded: [UInt8]
  /// Whether bytes of a body have come.
  var hasSentBody = false

  init(_ role: Role, _ params: Params, isOfOwnProcess: Bool) {
    self.role = role
    self.isOfOwnProcess = isOfOwnProcess
    encoded = params.bytes
    self.params = params
  }

  /// Lends the value of a param; `nil` when there is none. The first of duplicates counts.
  ///
  /// Inlinable: across targets, a generic call costs more than the look-up. Public: the compiler inlines no `package`
  /// function into another target.
  @inlinable
  public final func withParameter<Result>(_ name: StaticString, _ body: (Span<UInt8>) -> Result)
    -> Result?
  {
    guard let place = place(of: name) else { return nil }
    let bytes = encoded
    return body(bytes.span.extracting(place))
  }

  @usableFromInline
  final func place(of name: StaticString) -> Range<Int>? { params.value(of: name) }

  /// A copy of the value of a param.
  package final func parameter(_ name: StaticString) -> [UInt8]? {
    withParameter(name) { value in unsafe value.withUnsafeBufferPointer { unsafe Array($0) } }
  }

  /// How many params have this name.
  package final func count(of name: StaticString) -> Int { params.count(of: name) }

  /// Whether there are params whose names begin with `prefix`.
  package final func hasParameters(prefix: StaticString) -> Bool {
    var isThere = false
    forEachParameter(withPrefix: prefix) { _, _ in isThere = true }
    return isThere
  }

  /// Shows the params whose names begin with `prefix`, in the web server's order.
  package final func forEachParameter(
    prefix: StaticString, _ body: (_ name: String, _ value: Span<UInt8>) -> Void
  ) {
    forEachParameter(withPrefix: prefix) { name, value in
      let name = unsafe name.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
      body(name, value)
    }
  }

  /// The same, without a string for each name.
  package final func forEachParameter(
    withPrefix prefix: StaticString, _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void
  ) {
    prefix.withUTF8Buffer { unsafe params.forEach(prefix: $0, body) }
  }

  /// Whether the request has a body, or says that one will come. Source: RFC 3875 §4.1.2; RFC 9112 §6.
  ///
  /// A web server that keeps the body back sends no `CONTENT_LENGTH`; the client's own field is there.
  package final var hasBody: Bool {
    hasSentBody || isLength("CONTENT_LENGTH") || isLength("HTTP_CONTENT_LENGTH")
      || withParameter("HTTP_TRANSFER_ENCODING") { $0.count > 0 } == true
  }

  /// Whether this param is a length above 0.
  private final func isLength(_ name: StaticString) -> Bool {
    withParameter(name) { length in
      for i in length.indices where length[i] != UInt8(ascii: "0") { return true }
      return false
    } == true
  }

  /// Answers with a head and a small body, and ends the request.
  package final func answer(_ head: consuming ResponseHead, body: [UInt8] = []) {
    begin(head)
    put(body)
    finish()
  }

  /// Sends the head; the body follows by `put` or `send`.
  package final func begin(_ head: consuming ResponseHead) {
    let bytes = head.bytes()
    put(bytes)
    takeBack(bytes)
  }

  /// A head in a buffer that was used before, where there is one.
  package final func head(status: Int, capacity: Int) -> ResponseHead {
    ResponseHead(status: status, buffer: lendBuffer(), capacity: capacity)
  }

  /// Adds bytes to the body.
  ///
  /// - Returns: `false` when the web server has gone.
  @discardableResult
  package final func put(_ bytes: [UInt8]) -> Bool { bytes.isEmpty || write(bytes.span) }

  // What each door does its own way.

  /// Whether nobody waits for the answer any more, as far as is known.
  package var isGone: Bool { false }

  /// An empty buffer, perhaps one with room.
  func lendBuffer() -> [UInt8] { [] }

  /// The buffer is used no more.
  func takeBack(_ buffer: consuming [UInt8]) {}

  /// Adds bytes to the answer; they may wait in a buffer for more.
  ///
  /// - Returns: `false` when the web server has gone.
  package func write(_ bytes: Span<UInt8>) -> Bool { false }

  /// Adds `count` bytes of a file to the body, without a copy of ours.
  ///
  /// - Parameter owner: keeps the file open until they are sent.
  /// - Returns: `false` when the web server has gone, or takes nothing for minutes.
  package func send(file: Int32, _ owner: AnyObject?, offset: Int64, count: Int64) -> Bool { false }

  /// Sends what waits; whether the web server has taken all of it, or has gone. On the loop's thread.
  package var isDrained: Bool { true }

  /// Calls `body`, on the loop's thread, when the web server has taken all that was sent, or has gone.
  package func whenDrained(_ body: @escaping () -> Void) { body() }

  /// Tells the web server that we are alive while there is nothing to send.
  ///
  /// - Returns: `false` when the web server has gone.
  package func keepAlive() -> Bool { false }

  /// Ends the request.
  package func finish() {}

  /// Breaks the answer off, so that the web server can't take it for a whole one.
  package func abort() {}
}
