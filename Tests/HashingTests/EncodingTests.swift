import Hashing
import Testing

struct EncodingTests {
  @Test func `hexadecimal goes both ways for every byte`() {
    let bytes = Array(UInt8.min...UInt8.max)
    let text = Hex.encode(bytes.span)
    #expect(String(decoding: text.prefix(6), as: UTF8.self) == "000102")
    #expect(String(decoding: text.suffix(6), as: UTF8.self) == "fdfeff")
    #expect(Hex.decode(text.span) == bytes)
  }

  @Test(arguments: ["a", "AB", "0g", "0x", " a", "é", "ab0"])
  func `what is not lower-case hexadecimal is refused`(text: String) {
    #expect(Hex.decode(Array(text.utf8).span) == nil)
  }

  /// RFC 4648 §10, <https://www.rfc-editor.org/rfc/rfc4648#section-10>
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
  ])
  func `a published text has its published base 64`(text: String, base64: String) {
    #expect(Base64.string(Array(text.utf8).span) == base64)
  }

  @Test func `base 64 uses its whole alphabet`() {
    #expect(Base64.string([0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF].span) == "++++////")
  }
}
