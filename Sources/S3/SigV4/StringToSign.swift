internal import Hashing

/// What the signing key signs.
///
///     AWS4-HMAC-SHA256\n
///     <date>\n
///     <scope>\n
///     <hexadecimal SHA-256 of the canonical request>
package struct StringToSign: Sendable {
  package let bytes: [UInt8]

  package var string: String { String(decoding: bytes, as: UTF8.self) }

  package init(_ canonicalRequest: CanonicalRequest, date: AmazonDate, scope: CredentialScope) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(192)
    bytes.append(contentsOf: "AWS4-HMAC-SHA256\n".utf8)
    date.append(to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    scope.append(to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    Hex.append(SHA256.hash(canonicalRequest.bytes.span).span, to: &bytes)
    self.bytes = bytes
  }
}
