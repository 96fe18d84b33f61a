internal import Hashing

/// What a signed request says of its body, the value of `x-amz-content-sha256`.
package struct PayloadHash: Hashable, Sendable {
  package let text: String

  private init(text: String) {
    self.text = text
  }

  /// The signature does not cover the body.
  package static let unsigned = PayloadHash(text: "UNSIGNED-PAYLOAD")

  /// There is no body.
  package static let ofNothing = PayloadHash(text: SHA256.hexOfNothing)

  /// - Parameter digest: the body's SHA-256, 32 bytes.
  package static func sha256(_ digest: [UInt8]) -> PayloadHash {
    precondition(digest.count == 32, "a SHA-256 of \(digest.count) bytes")
    return PayloadHash(text: Hex.string(digest.span))
  }

  /// - Parameter hex: the body's SHA-256, 64 lower-case hexadecimal digits; else nil.
  package init?(hex: String) {
    guard hex.utf8.count == 64, Hex.decode(Array(hex.utf8).span) != nil else { return nil }
    text = hex
  }
}
