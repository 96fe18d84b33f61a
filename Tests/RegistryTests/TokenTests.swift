import Foundation
import Primitives
import Registry
import Testing

struct TokenTests {
  static let now = UnixTime(seconds: 1_700_000_000)

  static func jwt(_ claims: String) -> String {
    func part(_ text: String) -> String {
      Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        .replacing("=", with: "")
    }
    return "\(part(#"{"alg":"RS256"}"#)).\(part(claims)).c2lnbmF0dXJl"
  }

  static func bearer(_ token: String) -> BearerToken? {
    BearerToken(authorization: Array("Bearer \(token)".utf8))
  }

  @Test func `a JWT says when it ends`() {
    #expect(Self.bearer(Self.jwt(#"{"exp":1700000100}"#))?.expiration?.seconds == 1_700_000_100)
    #expect(
      Self.bearer(Self.jwt(#"{"exp":1700000100.9,"a":"ü?>"}"#))?.expiration?.seconds
        == 1_700_000_100)
    #expect(Self.bearer(Self.jwt(#"{"iss":"x"}"#)) != nil)
    #expect(Self.bearer(Self.jwt(#"{"iss":"x"}"#))?.expiration == nil)
  }

  @Test(arguments: [#"{"exp":"soon"}"#, "no JSON", "[]", #"{"exp":1e999}"#])
  func `a JWT that can't be read has ended long ago`(_ claims: String) throws {
    let token = try #require(Self.bearer(Self.jwt(claims)))
    let end = try #require(token.expiration)
    #expect(end < UnixTime(seconds: 0))
  }

  @Test(arguments: [
    "Basic YWxpY2U6cHc=", "Bearer DockerToken.0b9a3e8e-0000-0000-0000-000000000000", "Bearer abc",
    "Bearer", "", "Bearer a.b.c",
  ])
  func `other credentials say nothing of their end`(_ authorization: String) {
    #expect(BearerToken(authorization: Array(authorization.utf8)) == nil)
  }

  struct Answer: Sendable, CustomTestStringConvertible {
    let body: String
    let life: Int64?
    var testDescription: String { body }
  }

  @Test(arguments: [
    Answer(
      body: #"{"token":"abc","expires_in":300,"issued_at":"2026-01-01T00:00:00Z"}"#, life: 300),
    Answer(body: #"{"access_token":"abc","expires_in":300}"#, life: 300),
    // Nexus gives no life: the specification's default is 60 s.
    Answer(body: #"{"token":"DockerToken.0b9a3e8e-1111"}"#, life: 60),
    Answer(body: #"{"token":"abc","expires_in":-5}"#, life: 0),
    Answer(body: #"{"token":""}"#, life: nil),
    Answer(body: #"{"errors":[]}"#, life: nil),
    Answer(body: #"{"token":7}"#, life: nil),
    Answer(body: "<html>", life: nil),
    Answer(body: "", life: nil),
  ])
  func `a token lives as long as its server says`(_ answer: Answer) {
    let response = TokenResponse(Array(answer.body.utf8), at: Self.now)
    #expect(response.map { $0.expiration - Self.now } == answer.life)
  }

  @Test func `and no longer than the token itself says`() {
    let body = #"{"token":"\#(Self.jwt(#"{"exp":1700000020}"#))","expires_in":300}"#
    #expect(TokenResponse(Array(body.utf8), at: Self.now)?.expiration.seconds == 1_700_000_020)
  }
}
