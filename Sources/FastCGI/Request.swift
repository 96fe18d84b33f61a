internal import Glibc

/// One request that a web server has made, and the way to answer it, over FastCGI or as a CGI process.
///
/// It ends by `finish()`, or by `abort()`; one that is let go of without either is aborted, so that the
/// web server sees a broken answer and asks the registry.
@safe
package class Request: @unchecked Sendable {
  // @unchecked: one thread at a time has the request; it goes from one to the next through a queue.

  /// What the web server asks for. Source: FastCGI 1.0 §6.
  package enum Role: Sendable {
    case responder, authorizer, other
  }

  /// `NAME=value`, ended by a null pointer: libfcgi's params and a process's environment look the same.
  typealias Params = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  package let role: Role
  /// Whether the process was started for this request alone; its settings are among the params then.
  package let isOfOwnProcess: Bool
  private let params: Params?
  /// How long the names of the first params are: a look-up compares few names byte by byte.
  private let nameLengths: InlineArray<48, UInt8>

  /// - Parameter params: must live as long as the request.
  @unsafe init(_ role: Role, _ params: Params?, isOfOwnProcess: Bool) {
    self.role = role
    self.isOfOwnProcess = isOfOwnProcess
    unsafe self.params = unsafe params
    nameLengths = unsafe lengths(of: params)
  }

  /// Lends the value of a param; `nil` when there is none. The first of duplicates counts.
  package final func withParameter<Result>(_ name: StaticString, _ body: (Span<UInt8>) -> Result)
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
  package final func parameter(_ name: StaticString) -> [UInt8]? {
    withParameter(name) { value in unsafe value.withUnsafeBufferPointer { unsafe Array($0) } }
  }

  /// Shows the params whose names begin with `prefix`, in the web server's order.
  package final func forEachParameter(
    prefix: StaticString, _ body: (_ name: String, _ value: Span<UInt8>) -> Void
  ) {
    prefix.withUTF8Buffer { prefix in
      guard var entry = unsafe params else { return }
      while let pair = unsafe entry.pointee {
        unsafe entry += 1
        guard unsafe begins(pair, with: prefix),
          let equals = unsafe strchr(pair, Int32(UInt8(ascii: "=")))
        else {
          continue
        }
        let name = unsafe UnsafeRawBufferPointer(start: pair, count: pair.distance(to: equals))
        let value = unsafe UnsafeBufferPointer(
          start: UnsafeRawPointer(equals + 1).assumingMemoryBound(to: UInt8.self),
          count: strlen(equals + 1))
        unsafe body(String(decoding: name, as: UTF8.self), value.span)
      }
    }
  }

  /// Answers with a head and a small body, and ends the request.
  package final func answer(_ head: consuming ResponseHead, body: [UInt8] = []) {
    begin(head)
    put(body)
    finish()
  }

  /// Sends the head; the body follows by `put` or `send`.
  package final func begin(_ head: consuming ResponseHead) {
    put(head.bytes())
  }

  /// Adds bytes to the body.
  ///
  /// - Returns: `false` when the web server has gone.
  @discardableResult
  package final func put(_ bytes: [UInt8]) -> Bool { bytes.isEmpty || write(bytes.span) }

  // What each door does its own way.

  /// Adds bytes to the answer; they may wait in a buffer for more.
  ///
  /// - Returns: `false` when the web server has gone.
  package func write(_ bytes: Span<UInt8>) -> Bool { false }

  /// Adds `count` bytes of a file to the body, without a copy of ours.
  ///
  /// - Returns: `false` when the web server has gone, or takes nothing for minutes.
  package func send(file: Int32, offset: Int64, count: Int64) -> Bool { false }

  /// Tells the web server that we are alive while there is nothing to send.
  ///
  /// - Returns: `false` when the web server has gone.
  package func keepAlive() -> Bool { false }

  /// Ends the request.
  package func finish() {}

  /// Breaks the answer off, so that the web server can't take it for a whole one.
  package func abort() {}

  /// FCGX_GetParam without a C string for the name.
  @unsafe private final func value(of name: UnsafeBufferPointer<UInt8>) -> UnsafePointer<CChar>? {
    guard let params = unsafe params, let wanted = name.baseAddress else { return nil }
    var i = 0
    while i < nameLengths.count {
      let length = nameLengths[i]
      if length == 0 { return nil }
      if Int(length) == name.count, let pair = unsafe params[i],
        unsafe memcmp(pair, wanted, name.count) == 0
      {
        return unsafe UnsafePointer(pair + name.count + 1)
      }
      i += 1
    }
    var entry = unsafe params + i
    while let pair = unsafe entry.pointee {
      if unsafe begins(pair, with: name), unsafe pair[name.count] == CChar(UInt8(ascii: "=")) {
        return unsafe UnsafePointer(pair + name.count + 1)
      }
      unsafe entry += 1
    }
    return nil
  }
}

/// The lengths of the names of the first params, 0 behind the last; 255 for a longer one, and for what has
/// no name.
@unsafe private func lengths(of params: Request.Params?) -> InlineArray<48, UInt8> {
  var lengths = InlineArray<48, UInt8>(repeating: 0)
  guard let params = unsafe params else { return lengths }
  for i in lengths.indices {
    guard let pair = unsafe params[i] else { break }
    let equals = unsafe strchr(pair, Int32(UInt8(ascii: "=")))
    let length = unsafe equals.map { unsafe pair.distance(to: $0) } ?? 255
    lengths[i] = length == 0 ? 255 : UInt8(clamping: length)
  }
  return lengths
}

/// Whether the C string begins with `name`.
@unsafe private func begins(
  _ pair: UnsafeMutablePointer<CChar>, with name: UnsafeBufferPointer<UInt8>
) -> Bool {
  for i in 0..<name.count {
    // A NUL differs from every byte of a name, so this stops at the string's end.
    guard unsafe UInt8(bitPattern: pair[i]) == name[i] else { return false }
  }
  return true
}
