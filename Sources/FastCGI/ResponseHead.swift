/// The head of a CGI response, in one buffer as it goes out.
///
/// `Status` is written last: HAProxy 2.6 turns a 307 whose `Location` comes after it into a 302.
///
/// Source: RFC 3875 §6.
package struct ResponseHead: ~Copyable, Sendable {
  package let status: Int
  private var fields: [UInt8] = []

  /// - Parameter capacity: the bytes that all fields will need, when that is known.
  package init(status: Int, capacity: Int = 512) {
    self.status = status
    fields.reserveCapacity(capacity + 32)
  }

  /// - Parameter buffer: empty; its room is used.
  init(status: Int, buffer: consuming [UInt8], capacity: Int) {
    self.status = status
    fields = buffer
    fields.reserveCapacity(capacity + 32)
  }

  /// Adds a field; a value that could end its line is left out, since bloblo can't correct it.
  package mutating func add(_ name: StaticString, _ value: [UInt8]) {
    unsafe value.withUnsafeBufferPointer { unsafe add(name, $0) }
  }

  package mutating func add(_ name: StaticString, _ value: String) {
    var value = value
    value.withUTF8 { unsafe add(name, $0) }
  }

  /// Adds fields that are always the same, each with the end of its line.
  package mutating func add(lines: StaticString) {
    unsafe fields.append(
      contentsOf: UnsafeBufferPointer(start: lines.utf8Start, count: lines.utf8CodeUnitCount))
  }

  /// Not generic: across rooms a generic sequence is walked through witnesses, byte by byte.
  private mutating func add(_ name: StaticString, _ value: UnsafeBufferPointer<UInt8>) {
    // All of it, without a way out, so that the loop becomes a few vector instructions.
    var lineEnds: UInt8 = 0
    for i in 0..<value.count {
      let byte = unsafe value[i]
      lineEnds |= (byte == 0x0D ? 1 : 0) | (byte == 0x0A ? 1 : 0) | (byte == 0 ? 1 : 0)
    }
    guard lineEnds == 0 else { return }
    unsafe fields.append(
      contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    fields.append(UInt8(ascii: ":"))
    fields.append(UInt8(ascii: " "))
    unsafe fields.append(contentsOf: value)
    endLine()
  }

  /// Adds a field of another server's, whose name is a token and whose value came as one line.
  package mutating func add(name: String, _ value: [UInt8]) {
    fields.append(contentsOf: name.utf8)
    fields.append(UInt8(ascii: ":"))
    fields.append(UInt8(ascii: " "))
    fields.append(contentsOf: value)
    endLine()
  }

  /// The whole head, with the line that ends it.
  consuming func bytes() -> [UInt8] {
    add("Status", reason(of: status))
    endLine()
    return fields
  }

  private mutating func endLine() {
    fields.append(0x0D)
    fields.append(0x0A)
  }
}

/// A status with its phrase, without which nginx sends none. Source: RFC 9110 §15; 423 and 424, RFC 4918.
private func reason(of status: Int) -> String {
  switch status {
  case 200: "200 OK"
  case 206: "206 Partial Content"
  case 302: "302 Found"
  case 304: "304 Not Modified"
  case 307: "307 Temporary Redirect"
  case 400: "400 Bad Request"
  case 401: "401 Unauthorized"
  case 403: "403 Forbidden"
  case 404: "404 Not Found"
  case 405: "405 Method Not Allowed"
  case 416: "416 Range Not Satisfiable"
  case 423: "423 Locked"
  case 424: "424 Failed Dependency"
  case 425: "425 Too Early"
  case 429: "429 Too Many Requests"
  case 500: "500 Internal Server Error"
  case 501: "501 Not Implemented"
  case 502: "502 Bad Gateway"
  case 503: "503 Service Unavailable"
  case 504: "504 Gateway Timeout"
  default: "\(status) Status"
  }
}
