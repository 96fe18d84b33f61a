package import S3

/// How a blob's digest becomes the key of its object.
///
/// | placeholder | for `sha256:6c3c…` |
/// |---|---|
/// | `{digest}` | `sha256:6c3c…` |
/// | `{algorithm}` | `sha256` |
/// | `{encoded}` | `6c3c…` |
/// | `{encoded:0:2}` | `6c`: from that character on (0…), that many (1…) |
///
/// So `docker/registry/v2/blobs/{algorithm}/{encoded:0:2}/{encoded}/data` reads a bucket of the
/// distribution registry, `datastorage/registry/{algorithm}/{encoded:0:2}/{encoded}` one of Quay.
///
/// A template holds `{digest}` or `{encoded}`, so that no two digests share a key: the encoded parts
/// of two algorithms differ in length.
package struct ObjectKeyTemplate: Hashable, Sendable, CustomStringConvertible {
  enum Part: Hashable {
    case literal(String)
    case digest
    case algorithm
    case encoded
    case slice(start: Int, count: Int)
  }

  /// Characters that the encoded part of every digest has: sha256's are the fewest.
  private static let encodedCount = 64

  package let description: String
  let parts: [Part]

  package static let digest = ObjectKeyTemplate(description: "{digest}", parts: [.digest])

  private init(description: String, parts: [Part]) {
    self.description = description
    self.parts = parts
  }

  /// - Throws: `.invalidKeyTemplate`, also when the key of some digest would be no `ObjectKey`.
  package init(_ template: String) throws(S3Error) {
    func refuse(_ reason: String) -> S3Error {
      .invalidKeyTemplate(template, reason: reason)
    }
    var parts: [Part] = []
    var rest = template[...]
    while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      guard rest[brace] == "{", let end = rest[brace...].firstIndex(of: "}") else {
        throw refuse("want a closing brace for each opening one")
      }
      if rest.startIndex < brace { parts.append(.literal(String(rest[..<brace]))) }
      let placeholder = rest[rest.index(after: brace)..<end]
      guard let part = Self.part(placeholder) else {
        throw refuse(
          "unknown placeholder {\(placeholder)}: want {digest}, {algorithm}, {encoded} or "
            + "{encoded:START:COUNT} within \(Self.encodedCount) characters")
      }
      parts.append(part)
      rest = rest[rest.index(after: end)...]
    }
    if !rest.isEmpty { parts.append(.literal(String(rest))) }
    guard parts.contains(.digest) || parts.contains(.encoded) else {
      throw refuse("two blobs could share a key: want {digest} or the whole {encoded}")
    }
    self.init(description: template, parts: parts)

    let longest = render(algorithm: "sha512", encoded: String(repeating: "0", count: 128))
    guard ObjectKey.byteRange.contains(longest.count) else {
      throw refuse("want keys of 1 to 1024 bytes, got \(longest.count)")
    }
    // Clients and servers remove such segments from a URL's path, and then the signature is wrong.
    let segments = String(decoding: longest, as: UTF8.self)
      .split(separator: "/", omittingEmptySubsequences: false)
    guard !segments.contains("."), !segments.contains("..") else {
      throw refuse("want no segment . or ..")
    }
  }

  /// - Parameters:
  ///   - algorithm: `sha256` or `sha512`.
  ///   - encoded: lower-case hexadecimal, 64 characters or more.
  package func key(algorithm: String, encoded: String) throws(S3Error) -> ObjectKey {
    guard encoded.utf8.count >= Self.encodedCount else {
      throw .invalidObjectKey(
        reason: "a digest of \(encoded.utf8.count) characters: want \(Self.encodedCount) or more")
    }
    return try ObjectKey(utf8: render(algorithm: algorithm, encoded: encoded))
  }

  private func render(algorithm: String, encoded: String) -> [UInt8] {
    var key: [UInt8] = []
    key.reserveCapacity(description.utf8.count + algorithm.utf8.count + encoded.utf8.count)
    for part in parts {
      switch part {
      case .literal(let text): key.append(contentsOf: text.utf8)
      case .digest:
        key.append(contentsOf: algorithm.utf8)
        key.append(UInt8(ascii: ":"))
        key.append(contentsOf: encoded.utf8)
      case .algorithm: key.append(contentsOf: algorithm.utf8)
      case .encoded: key.append(contentsOf: encoded.utf8)
      case .slice(let start, let count):
        key.append(contentsOf: encoded.utf8.dropFirst(start).prefix(count))
      }
    }
    return key
  }

  private static func part(_ placeholder: Substring) -> Part? {
    switch placeholder {
    case "digest": return .digest
    case "algorithm": return .algorithm
    case "encoded": return .encoded
    default:
      let words = placeholder.split(separator: ":", omittingEmptySubsequences: false)
      guard words.count == 3, words[0] == "encoded",
        let start = number(words[1]), let count = number(words[2]),
        count >= 1, start + count <= encodedCount
      else { return nil }
      return .slice(start: start, count: count)
    }
  }

  private static func number(_ text: Substring) -> Int? {
    guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    return Int(text)
  }
}
