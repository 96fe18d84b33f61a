package import Hashing

/// The key of one day, region and service.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>
package struct SigningKey: ~Copyable {
  private var function: HMACSHA256

  package init(secretAccessKey: String, scope: CredentialScope) {
    let bytes = Self.bytes(secretAccessKey: secretAccessKey, scope: scope)
    function = HMACSHA256(key: bytes.span)
  }

  package mutating func signature(of stringToSign: StringToSign) -> HMACSHA256.Code {
    function.code(for: stringToSign.bytes.span)
  }

  /// The key itself: HMACs of the scope's parts, each the key of the next.
  package static func bytes(
    secretAccessKey: String, scope: CredentialScope
  ) -> HMACSHA256.Code {
    var day: [UInt8] = []
    scope.date.appendDay(to: &day)
    let dayKey = HMACSHA256.code(for: day.span, key: Array("AWS4\(secretAccessKey)".utf8).span)
    let regionKey = HMACSHA256.code(for: Array(scope.region.utf8).span, key: dayKey.span)
    let serviceKey = HMACSHA256.code(for: Array(scope.service.utf8).span, key: regionKey.span)
    return HMACSHA256.code(for: Array("aws4_request".utf8).span, key: serviceKey.span)
  }
}
