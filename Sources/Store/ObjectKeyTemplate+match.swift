package import S3

extension ObjectKeyTemplate {
  /// The keys that can be made begin with these bytes.
  package var prefix: String {
    guard case .literal(let text) = parts.first else { return "" }
    return text
  }

  /// Whether some digest has this key.
  package func canMake(_ key: ObjectKey) -> Bool { digest(of: key) != nil }

  /// The digest that has this key, as `sha256:6c3c…`; `nil` when none has.
  ///
  /// The digest is read where the template has it whole; then that digest's key is compared, so that
  /// slices must agree with it.
  package func digest(of key: ObjectKey) -> String? {
    for (algorithm, count) in [("sha256", 64), ("sha512", 128)] {
      guard let encoded = encoded(in: key.utf8, algorithm, count),
        (try? self.key(algorithm: algorithm, encoded: encoded)) == key
      else { continue }
      return "\(algorithm):\(encoded)"
    }
    return nil
  }

  /// The bytes that stand where the first whole digest of this algorithm would.
  private func encoded(in key: [UInt8], _ algorithm: String, _ count: Int) -> String? {
    var start = 0
    for part in parts {
      switch part {
      case .literal(let text): start += text.utf8.count
      case .algorithm: start += algorithm.utf8.count
      case .slice(_, let count): start += count
      case .digest, .encoded:
        if part == .digest { start += algorithm.utf8.count + 1 }
        guard key.count >= start + count else { return nil }
        let bytes = key[start..<(start + count)]
        let isHexadecimal = bytes.allSatisfy {
          (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
        }
        return isHexadecimal ? String(decoding: bytes, as: UTF8.self) : nil
      }
    }
    return nil
  }
}
