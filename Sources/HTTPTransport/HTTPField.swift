/// One field of an HTTP message's head, as on the wire.
///
/// Source: RFC 9110 §5.
package struct HTTPField: Sendable, Equatable {
  /// The field's name, an RFC 9110 token. Compared without regard to case.
  package let name: String
  /// The field's value as bytes, since a client's credential need not be UTF-8. No CR, LF or NUL.
  package let value: [UInt8]

  package init(_ name: String, _ value: [UInt8]) {
    self.name = name
    self.value = value
  }

  package init(_ name: String, _ value: String) {
    self.init(name, Array(value.utf8))
  }

  /// The value as text; bytes that are not UTF-8 are replaced.
  package var text: String { String(decoding: value, as: UTF8.self) }

  /// Whether the value can stand on one line of a head: it cannot end the line and begin another.
  package var isSendable: Bool { !value.contains { $0 == 0x0D || $0 == 0x0A || $0 == 0 } }
}

extension [HTTPField] {
  /// The first field of this name, in lower case, as `"content-length"`.
  package func first(named name: String) -> HTTPField? {
    first { $0.name.lowercased() == name }
  }
}
