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

extension HTTPField {
  /// A field's name as it is looked for: case makes no difference, so a capital in a literal can't fail in silence.
  ///
  ///     fields.first(named: "Content-Length")
  package struct Name: Sendable, Equatable, ExpressibleByStringLiteral {
    private let text: String

    package init(_ text: String) { self.text = text }

    package init(stringLiteral text: String) { self.text = text }

    /// ASCII only: a name is a token.
    package static func == (a: Name, b: Name) -> Bool {
      a.text.utf8.count == b.text.utf8.count
        && zip(a.text.utf8, b.text.utf8).allSatisfy { $0 == $1 || lowercased($0) == lowercased($1) }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
      (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
  }

  package func isNamed(_ name: Name) -> Bool { Name(self.name) == name }
}

extension [HTTPField] {
  package func first(named name: HTTPField.Name) -> HTTPField? { first { $0.isNamed(name) } }
}
