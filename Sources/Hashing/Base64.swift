/// Base 64 with padding, as S3's checksum fields have it.
///
/// Source: RFC 4648 §4, <https://www.rfc-editor.org/rfc/rfc4648#section-4>
package enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var group: UInt32 = 0
      for i in 0..<3 {
        group = group << 8 | (i < count ? UInt32(bytes[start + i]) : 0)
      }
      for i in 0..<4 {
        // n bytes fill n + 1 digits; `=` stands for the rest.
        text.append(i <= count ? alphabet[Int(group >> (18 - 6 * i) & 0x3F)] : UInt8(ascii: "="))
      }
    }
    return text
  }

  package static func string(_ bytes: Span<UInt8>) -> String {
    String(decoding: encode(bytes), as: UTF8.self)
  }
}
