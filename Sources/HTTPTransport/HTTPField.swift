/// One field of an HTTP message's head, as on the wire.
///
/// Source: RFC 9110 §5.
public struct HTTPField: Sendable, Equatable {
  /// The field's name, an RFC 9110 token. Compared without regard to case.
  package var name: String { key.text }
  @usableFromInline let key: Name
  /// The field's value as bytes, since a client's credential need not be UTF-8. No CR, LF or NUL.
  package let value: [UInt8]

  package init(_ name: String, _ value: [UInt8]) {
    key = Name(name)
    self.value = value
  }

  package init(_ name: String, _ value: String) {
    self.init(name, Array(value.utf8))
  }

  init(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    key = Name(name)
    self.value = value.bytes
  }

  /// The value as text; bytes that are not UTF-8 are replaced.
  package var text: String { String(decoding: value, as: UTF8.self) }

  /// Whether the value can stand on one line of a head: it cannot end the line and begin another.
  package var isSendable: Bool { value.span.isOneLine }
}

extension HTTPField {
  /// A field's name as it is looked for: case makes no difference, so a capital in a literal can't fail in silence.
  ///
  ///     fields.first(named: "Content-Length")
  public struct Name: Sendable, Equatable, ExpressibleByStringLiteral {
    fileprivate let text: String
    /// The length and the last byte, which rule out most other names.
    @usableFromInline let key: UInt16

    package init(_ text: String) {
      self.text = text
      key = Self.key(of: text.utf8.span)
    }

    public init(stringLiteral text: String) { self.init(text) }

    init(_ text: Span<UInt8>) {
      self.text = text.text
      key = Self.key(of: text)
    }

    private static func key(of text: Span<UInt8>) -> UInt16 {
      let last = text.isEmpty ? 0 : text[text.count - 1]
      return UInt16(truncatingIfNeeded: text.count) << 8 | UInt16(last) | 0x20
    }

    /// ASCII only: a name is a token.
    ///
    /// Inlinable: nearly all names differ, and in other rooms a call costs more than the comparison.
    @inlinable
    public static func == (a: Name, b: Name) -> Bool { a.key == b.key && a.isSpelt(as: b) }

    @usableFromInline
    func isSpelt(as other: Name) -> Bool {
      text.utf8.span.equalsIgnoringCase(other.text.utf8.span)
    }
  }

  @inlinable
  public func isNamed(_ name: Name) -> Bool { key == name }

  package func isNamed(oneOf names: [Name]) -> Bool {
    // By index: each name that a closure is given is retained.
    for i in names.indices where names[i].key == key.key && names[i].isSpelt(as: key) {
      return true
    }
    return false
  }

  public static func == (a: HTTPField, b: HTTPField) -> Bool {
    a.name == b.name && a.value == b.value
  }
}

extension Span<UInt8> {
  /// Whether the bytes are the same, but for the case of ASCII letters.
  func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for i in indices where self[i] != other[i] {
      guard self[i] | 0x20 == other[i] | 0x20, (0x61...0x7A).contains(self[i] | 0x20) else {
        return false
      }
    }
    return true
  }

  /// Whether the bytes begin with these, but for the case of ASCII letters.
  func beginsIgnoringCase(_ prefix: String) -> Bool {
    let prefix = prefix.utf8.span
    return count >= prefix.count && extracting(0..<prefix.count).equalsIgnoringCase(prefix)
  }
}

extension [HTTPField] {
  package func first(named name: HTTPField.Name) -> HTTPField? {
    // By index: each field that a closure is given is retained.
    for i in indices where self[i].isNamed(name) { return self[i] }
    return nil
  }
}
