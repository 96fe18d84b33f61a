/// The head of a CGI response, in one buffer as it goes out.
///
/// `Status` is written last: HAProxy 2.6 turns a 307 whose `Location` comes after it into a 302.
///
/// Source: RFC 3875 §6.
package struct ResponseHead: Sendable {
  package let status: Int
  private var fields: [UInt8] = []

  /// - Parameter capacity: the bytes that all fields will need, when that is known.
  package init(status: Int, capacity: Int = 512) {
    self.status = status
    fields.reserveCapacity(capacity + 32)
  }

  /// Adds a field; a value that could end its line is left out, since it is not ours to mend.
  package mutating func add(_ name: StaticString, _ value: some Sequence<UInt8>) {
    let start = fields.count
    unsafe fields.append(
      contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    add(value, from: start)
  }

  /// Adds a field of another server's, whose name is a token.
  package mutating func add(name: String, _ value: [UInt8]) {
    let start = fields.count
    fields.append(contentsOf: name.utf8)
    add(value, from: start)
  }

  private mutating func add(_ value: some Sequence<UInt8>, from start: Int) {
    fields.append(UInt8(ascii: ":"))
    fields.append(UInt8(ascii: " "))
    for byte in value {
      guard byte != 0x0D, byte != 0x0A, byte != 0 else {
        fields.removeSubrange(start...)
        return
      }
      fields.append(byte)
    }
    endLine()
  }

  package mutating func add(_ name: StaticString, _ value: String) {
    add(name, value.utf8)
  }

  /// The whole head, with the line that ends it.
  consuming func bytes() -> [UInt8] {
    fields.append(contentsOf: "Status: ".utf8)
    fields.append(contentsOf: String(status).utf8)
    endLine()
    endLine()
    return fields
  }

  private mutating func endLine() {
    fields.append(0x0D)
    fields.append(0x0A)
  }
}
