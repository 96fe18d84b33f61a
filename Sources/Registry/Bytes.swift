extension UInt8 {
  var isLowerAlphanumeric: Bool { (0x30...0x39).contains(self) || (0x61...0x7A).contains(self) }
}

extension Span<UInt8> {
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
