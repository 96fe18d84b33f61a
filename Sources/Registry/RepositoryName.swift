internal import Primitives

/// The name of a repository, checked against the grammar.
///
///     [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
///
/// Source: OCI distribution-spec, "Pulling manifests". 255 bytes at most, as registries bound it.
package struct RepositoryName: Sendable {
  package let bytes: [UInt8]

  package init?(_ name: Span<UInt8>) {
    guard 1...255 ~= name.count, Self.isValid(name) else { return nil }
    bytes = unsafe name.withUnsafeBufferPointer { unsafe Array($0) }
  }

  package init?(_ text: String) {
    self.init(Array(text.utf8).span)
  }

  private static func isValid(_ name: Span<UInt8>) -> Bool {
    var at = 0
    // Each turn reads one run of alphanumerics and what separates it from the next.
    while true {
      let start = at
      while at < name.count, name[at].isLowerAlphanumeric { at += 1 }
      guard at > start else { return false }
      guard at < name.count else { return true }
      guard let next = separatorEnd(name, at) else { return false }
      at = next
    }
  }

  /// The index after the separator that begins at `at`: `.`, `_`, `__`, hyphens, or the `/` between
  /// components.
  private static func separatorEnd(_ name: Span<UInt8>, _ at: Int) -> Int? {
    switch name[at] {
    case UInt8(ascii: "/"), UInt8(ascii: "."): return at + 1
    case UInt8(ascii: "_"):
      return at + 1 < name.count && name[at + 1] == UInt8(ascii: "_") ? at + 2 : at + 1
    case UInt8(ascii: "-"):
      var end = at
      while end < name.count, name[end] == UInt8(ascii: "-") { end += 1 }
      return end
    default: return nil
    }
  }
}

extension RepositoryName: CustomStringConvertible {
  package var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension RepositoryName: Hashable {
  package static func == (a: RepositoryName, b: RepositoryName) -> Bool {
    a.bytes.span.isEqual(to: b.bytes.span)
  }

  /// All bytes at once: an array of bytes hashes one by one.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(bytes.count)
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}
