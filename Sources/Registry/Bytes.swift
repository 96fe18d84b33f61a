extension UInt8 {
  var isLowerHexadecimal: Bool { (0x30...0x39).contains(self) || (0x61...0x66).contains(self) }
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
    for i in indices where self[i] == byte { return i }
    return nil
  }

  func lastIndex(of byte: UInt8, before end: Int) -> Int? {
    for i in (0..<end).reversed() where self[i] == byte { return i }
    return nil
  }
}
