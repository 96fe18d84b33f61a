package import Hashing

/// The content address of a blob, of an algorithm that we can verify.
///
/// Source: OCI image-spec, descriptor.md, "Digests".
package struct Digest: Hashable, Sendable {
  package let algorithm: DigestAlgorithm
  /// Lower-case hexadecimal: 64 bytes for SHA-256, 128 for SHA-512.
  package let encoded: [UInt8]

  /// Reads `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits; nothing else.
  package init?(_ bytes: Span<UInt8>) {
    guard bytes.count > 7, bytes[6] == UInt8(ascii: ":") else { return nil }
    if bytes.count == 7 + 64, bytes.hasPrefix("sha256") {
      algorithm = .sha256
    } else if bytes.count == 7 + 128, bytes.hasPrefix("sha512") {
      algorithm = .sha512
    } else {
      return nil
    }
    for i in 7..<bytes.count where !bytes[i].isLowerHexadecimal { return nil }
    encoded = unsafe bytes.extracting(7...).withUnsafeBufferPointer { unsafe Array($0) }
  }

  package init?(_ text: String) {
    self.init(Array(text.utf8).span)
  }

  /// As in a URL: `sha256:…`.
  package var bytes: [UInt8] {
    var all: [UInt8] = []
    all.reserveCapacity(7 + encoded.count)
    all.append(contentsOf: algorithm.rawValue.utf8)
    all.append(UInt8(ascii: ":"))
    all.append(contentsOf: encoded)
    return all
  }
}

extension Digest: CustomStringConvertible {
  package var description: String { String(decoding: bytes, as: UTF8.self) }
}
