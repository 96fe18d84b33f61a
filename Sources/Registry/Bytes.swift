internal import Glibc

extension UInt8 {
  var isLowerAlphanumeric: Bool { (0x30...0x39).contains(self) || (0x61...0x7A).contains(self) }
}

extension Span<UInt8> {
  func hasPrefix(_ prefix: StaticString) -> Bool { hasBytes(prefix, at: 0) }

  func hasBytes(_ bytes: StaticString, at start: Int) -> Bool {
    guard count - start >= bytes.utf8CodeUnitCount else { return false }
    for i in 0..<bytes.utf8CodeUnitCount {
      guard unsafe self[start + i] == bytes.utf8Start[i] else { return false }
    }
    return true
  }

  func firstIndex(of byte: UInt8) -> Int? {
    unsafe withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress,
        let found = unsafe memchr(start, Int32(byte), bytes.count)
      else { return nil }
      return unsafe UnsafeRawPointer(found) - start
    }
  }

  /// Whether all are lower-case hexadecimal digits. Without a way out, so that the loop becomes a few vector
  /// instructions.
  var isLowerHexadecimal: Bool {
    unsafe withUnsafeBufferPointer { bytes in
      var others: UInt8 = 0
      for i in 0..<bytes.count {
        let byte = unsafe bytes[i]
        let isDigit: UInt8 = byte &- 0x30 < 10 ? 1 : 0
        let isLetter: UInt8 = byte &- 0x61 < 6 ? 1 : 0
        others |= (isDigit | isLetter) ^ 1
      }
      return others == 0
    }
  }
}

extension [UInt8] {
  /// The same as `==`, which compares arrays of bytes one by one.
  func isEqual(to other: [UInt8]) -> Bool {
    guard count == other.count else { return false }
    return unsafe withUnsafeBytes { ours in
      unsafe other.withUnsafeBytes { theirs in
        guard let ours = ours.baseAddress, let theirs = theirs.baseAddress else { return true }
        return unsafe memcmp(ours, theirs, other.count) == 0
      }
    }
  }
}
