/// Undoes percent-encoding, nested up to `times`; a `%` without two hexadecimal digits stays.
func percentDecoded(_ text: [UInt8], times: Int) -> [UInt8] {
  var text = text
  for _ in 0..<times where text.contains(UInt8(ascii: "%")) { text = percentDecoded(text) }
  return text
}

private func percentDecoded(_ text: [UInt8]) -> [UInt8] {
  var decoded: [UInt8] = []
  decoded.reserveCapacity(text.count)
  var at = 0
  while at < text.count {
    if text[at] == UInt8(ascii: "%"), at + 2 < text.count, let high = hexDigit(text[at + 1]),
      let low = hexDigit(text[at + 2])
    {
      decoded.append(high << 4 | low)
      at += 3
    } else {
      decoded.append(text[at])
      at += 1
    }
  }
  return decoded
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46, 0x61...0x66: (byte | 0x20) - 0x57
  default: nil
  }
}
