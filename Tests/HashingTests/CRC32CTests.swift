import Hashing
import Testing

/// Source: <https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4>, with the most significant byte first.
struct CRC32CTests {
  static let vectors: [([UInt8], [UInt8])] = [
    ([UInt8](repeating: 0, count: 32), [0x8A, 0x91, 0x36, 0xAA]),
    ([UInt8](repeating: 0xFF, count: 32), [0x62, 0xA8, 0xAB, 0x43]),
    (Array(0..<32), [0x46, 0xDD, 0x79, 0x4E]),
    ((0..<32).reversed(), [0x11, 0x3F, 0xDB, 0x5C]),
    ([], [0, 0, 0, 0]),
  ]

  @Test(arguments: vectors) func `it is the RFC's`(_ bytes: [UInt8], _ sum: [UInt8]) {
    var crc = CRC32C()
    crc.update(bytes.span)
    #expect(crc.finalize() == sum)
  }

  @Test func `pieces come to the same as the whole`() {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var (whole, pieces) = (CRC32C(), CRC32C())
    whole.update(bytes.span)
    for start in stride(from: 0, to: bytes.count, by: 777) {
      pieces.update(Array(bytes[start..<min(start + 777, bytes.count)]).span)
    }
    #expect(whole.finalize() == pieces.finalize())
  }
}
