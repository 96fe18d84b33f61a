internal import FoundationEssentials
package import Primitives

/// What a token server answers.
///
/// Source: <https://distribution.github.io/distribution/spec/auth/token/>, "Token Response Fields";
/// RFC 6749 §5.1.
package struct TokenResponse: Sendable {
  /// When the token ends: by `expires_in`, which is 60 s when it is not given, and by the token itself if
  /// it is a JWT, whichever is first.
  package let expiration: UnixTime

  /// - Parameter now: when the response came.
  /// - Returns: `nil` for anything but a JSON object with a token in it.
  package init?(_ body: [UInt8], at now: UnixTime) {
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
      let token = answer.token ?? answer.accessToken, !token.isEmpty
    else { return nil }
    let life = max(0, min(answer.expiresIn ?? 60, 1e9))
    let ownEnd = BearerToken(authorization: Array("Bearer \(token)".utf8))?.expiration
    expiration = min(now + Int64(life), ownEnd ?? now + Int64(life))
  }

  private struct Answer: Decodable {
    let token: String?
    /// The same by OAuth 2's name.
    let accessToken: String?
    /// Seconds.
    let expiresIn: Double?

    private enum CodingKeys: String, CodingKey {
      case token
      case accessToken = "access_token"
      case expiresIn = "expires_in"
    }
  }
}
