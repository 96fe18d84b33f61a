internal import Hashing

/// What a person calls an image: `host[:port]/name[:tag][@digest]`.
///
/// As Docker reads it: the first segment is a host when it has a dot or a port, or is `localhost`;
/// `docker.io` is where the Hub's images are, and its images without a namespace are in `library`.
///
/// Source: <https://github.com/distribution/reference/blob/v0.6.0/normalize.go>
package struct ImageReference: Hashable, Sendable {
  /// With its port; lower-case. `nil` when the text names none.
  package let host: String?
  package let name: RepositoryName
  /// `latest` when the text has neither tag nor digest.
  package let tag: String?
  package let digest: Digest?

  /// - Returns: `nil` for what is no reference.
  package init?(_ text: String) {
    var rest = text[...]
    if let at = rest.firstIndex(of: "@") {
      guard let digest = Digest(String(rest[rest.index(after: at)...])) else { return nil }
      self.digest = digest
      rest = rest[..<at]
    } else {
      digest = nil
    }
    if let slash = rest.firstIndex(of: "/"), isHost(rest[..<slash]) {
      host = rest[..<slash].lowercased()
      rest = rest[rest.index(after: slash)...]
    } else {
      host = nil
    }
    if let colon = rest.lastIndex(of: ":") {
      let tag = rest[rest.index(after: colon)...]
      guard isTag(tag) else { return nil }
      self.tag = String(tag)
      rest = rest[..<colon]
    } else {
      tag = digest == nil ? "latest" : nil
    }
    let isOfficial = host == "docker.io" && !rest.contains("/")
    guard let name = RepositoryName(isOfficial ? "library/\(rest)" : String(rest)) else {
      return nil
    }
    self.name = name
  }

  /// A tag of a repository, at a registry that is known otherwise.
  ///
  /// - Returns: `nil` for what is no tag.
  package init?(_ name: RepositoryName, tag: String) {
    guard isTag(tag[...]) else { return nil }
    host = nil
    self.name = name
    self.tag = tag
    digest = nil
  }

  /// What the manifest is asked for by: the digest, where there is one.
  package var target: String { digest?.description ?? tag ?? "latest" }
}

extension ImageReference: CustomStringConvertible {
  package var description: String {
    var text = host.map { "\($0)/\(name)" } ?? "\(name)"
    if let tag { text += ":\(tag)" }
    if let digest { text += "@\(digest)" }
    return text
  }
}

private func isHost(_ text: Substring) -> Bool {
  guard text.contains(".") || text.contains(":") || text == "localhost" else { return false }
  var name = text
  if let colon = text.lastIndex(of: ":"), text.last != "]" {
    guard UInt16(text[text.index(after: colon)...]) != nil else { return false }
    name = text[..<colon]
  }
  guard name.hasPrefix("["), name.hasSuffix("]") else {
    return !name.isEmpty && name.utf8.allSatisfy { isAlphanumeric($0) || ".-".utf8.contains($0) }
  }
  return name.dropFirst().dropLast().utf8.allSatisfy {
    isAlphanumeric($0) || ":.".utf8.contains($0)
  }
}

/// Source: OCI distribution-spec, "Pulling manifests": `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
private func isTag(_ text: Substring) -> Bool {
  guard (1...128).contains(text.utf8.count), let first = text.utf8.first,
    first != UInt8(ascii: "."), first != UInt8(ascii: "-")
  else { return false }
  return text.utf8.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
  byte.isLowerAlphanumeric || (0x41...0x5A).contains(byte)
}
