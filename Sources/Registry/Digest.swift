package import Hashing
internal import Primitives

/// The content address of a blob, of an algorithm that we can verify.
///
/// Source: OCI image-spec, descriptor.md, "Digests".
package struct Digest: Sendable {
  package let algorithm: DigestAlgorithm
  /// As in a URL: `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits.
  package let bytes: [UInt8]

  /// Reads the text of a digest; nothing else, and in no other spelling.
  package init?(_ text: Span<UInt8>) {
    if text.count == Self.prefixBytes + 64, text.begins(with: "sha256:") {
      algorithm = .sha256
    } else if text.count == Self.prefixBytes + 128, text.begins(with: "sha512:") {
      algorithm = .sha512
    } else {
      return nil
    }
    guard text.extracting(Self.prefixBytes...).isLowerHexadecimal else { return nil }
    bytes = unsafe text.withUnsafeBufferPointer { unsafe Array($0) }
  }

  package init?(_ text: String) {
    self.init(Array(text.utf8).span)
  }

  /// The hexadecimal digits.
  package var encoded: [UInt8] { Array(bytes[Self.prefixBytes...]) }

  /// How many bytes the texts of digests have.
  static var lengths: InlineArray<2, Int> { [prefixBytes + 64, prefixBytes + 128] }

  private static var prefixBytes: Int { 7 }
}

extension Digest: Hashable {
  package static func == (a: Digest, b: Digest) -> Bool { a.bytes.span.isEqual(to: b.bytes.span) }

  /// All bytes at once: an array of bytes hashes one by one. All, because a client can ask for what is no blob's
  /// digest, and so for as many as it likes that have a part in common.
  package func hash(into hasher: inout Hasher) {
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}

extension Digest: CustomStringConvertible {
  package var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension Digest {
  /// Whether a registry that calls the blob by this digest means another one. One of another algorithm says nothing:
  /// registries have a favourite, whatever they were asked for.
  package func contradicts(_ other: [UInt8]) -> Bool {
    !other.span.isEqual(to: bytes.span) && other.starts(with: bytes.prefix(Self.prefixBytes))
  }

  /// Whether it is the digest of an empty blob. Source: FIPS 180-4, the hash of the empty message.
  var isOfNothing: Bool {
    var hash = HashFunction(algorithm)
    hash.update([UInt8]().span)
    return Hex.encode(hash.finalize().span) == encoded
  }
}
