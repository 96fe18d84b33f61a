/// Percent-encoding of all but RFC 3986's unreserved characters, upper-case: for URLs, forms, and as SigV4 wants it.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, `UriEncode()`
package enum PercentEncoding {
  /// - Parameter keepingSlash: true for a path, false for a query's names and values.
  package static func append(
    _ bytes: some Sequence<UInt8>, keepingSlash: Bool = false, to text: inout [UInt8]
  ) {
    for byte in bytes {
      if isUnreserved(byte) || (keepingSlash && byte == UInt8(ascii: "/")) {
        text.append(byte)
      } else {
        text.append(percentEncoding: byte)
      }
    }
  }

  package static func encode(_ text: String) -> [UInt8] {
    var encoded: [UInt8] = []
    encoded.reserveCapacity(text.utf8.count * 3)
    append(text.utf8, to: &encoded)
    return encoded
  }

  package static func string(_ text: String) -> String {
    String(decoding: encode(text), as: UTF8.self)
  }

  package static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      true
    default: false
    }
  }
}

extension [UInt8] {
  /// Appends `%` and the byte's two hexadecimal digits.
  package mutating func append(percentEncoding byte: UInt8) {
    func digit(_ value: UInt8) -> UInt8 {
      value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
    append(UInt8(ascii: "%"))
    append(digit(byte >> 4))
    append(digit(byte & 0xF))
  }
}
