internal import FoundationEssentials
package import Primitives

/// A bearer token that says when it ends.
///
/// Source: RFC 6750 §2.1, RFC 7519 §4.1.4.
package struct BearerToken: Sendable {
  /// When the token ends; the distant past when it is a JWT whose claims can't be read.
  package let expiration: UnixTime?

  /// - Returns: `nil` for a credential of another kind, and for a bearer token that is no JWT: such a one
  ///   says nothing of its end.
  package init?(authorization: [UInt8]) {
    guard Self.mayBegin(authorization) else { return nil }
    let text = String(decoding: authorization, as: UTF8.self)
    // Registries are generous with what stands between scheme and token.
    let trimmed = text.drop(while: isBlank)
    let token = trimmed.dropFirst(6).drop(while: isBlank)
    guard trimmed.prefix(6).lowercased() == "bearer",
      token.startIndex > trimmed.dropFirst(6).startIndex
    else { return nil }
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].hasPrefix("ey") || parts[0].hasPrefix("ew") else { return nil }
    guard let claims = Self.claims(parts[1]) else {
      expiration = UnixTime(seconds: -1_000_000_000_000_000)
      return
    }
    expiration = claims.exp.map { UnixTime(seconds: Int64(max(-1e15, min(1e15, $0)))) }
  }

  /// Two letters rule out most credentials of other kinds.
  package static func mayBegin(_ authorization: [UInt8]) -> Bool {
    for i in authorization.indices where authorization[i] != 0x20 && authorization[i] != 0x09 {
      return authorization[i] | 0x20 == UInt8(ascii: "b") && authorization.count > i + 1
        && authorization[i + 1] | 0x20 == UInt8(ascii: "e")
    }
    return false
  }

  private struct Claims: Decodable {
    /// NumericDate: seconds, perhaps with a fraction.
    let exp: Double?
  }

  private static func claims(_ base64url: Substring) -> Claims? {
    guard base64url.utf8.count <= 64 << 10 else { return nil }
    var base64 = base64url.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
    while !base64.count.isMultiple(of: 4) { base64.append("=") }
    guard let json = Data(base64Encoded: String(base64)) else { return nil }
    // Whatever is wrong with it: it can't be read.
    return try? JSONDecoder().decode(Claims.self, from: json)
  }
}

/// SP or HTAB.
private func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
