/// A request's identifier in the logs of bloblo, the registry and the web server.
package struct RequestID: Sendable, CustomStringConvertible {
  package static let field = "X-Request-Id"

  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var description: String { String(decoding: bytes, as: UTF8.self) }

  /// The characters that are safe in every log and header: letters, digits, and a few others.
  package static func isSane(_ value: Span<UInt8>) -> Bool {
    guard 1...128 ~= value.count else { return false }
    for i in value.indices {
      switch value[i] {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: continue
      case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"),
        UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
        continue
      default: return false
      }
    }
    return true
  }

  /// 128 random bits, as nginx's `$request_id` is.
  package static func made() -> [UInt8] {
    var digits: [UInt8] = []
    digits.reserveCapacity(32)
    for _ in 0..<2 {
      var word = UInt64.random(in: .min ... .max)
      for _ in 0..<16 {
        let digit = UInt8(word & 0xF)
        digits.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        word >>= 4
      }
    }
    return digits
  }
}
