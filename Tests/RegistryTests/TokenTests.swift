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

  @Test(arguments: ["Bearer  ", "bearer ", "BEARER\t", "Bearer \t ", " Bearer "])
  func `whatever blank stands before a token, its end is read`(prefix: String) {
    let token = Self.jwt(#"{"exp":1700000020}"#)
    let bearer = BearerToken(authorization: Array((prefix + token).utf8))
    #expect(bearer?.expiration?.seconds == 1_700_000_020)
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
    // 2023-11-14T22:13:20Z is now: a token that was made before has less left.
    Answer(
      body: #"{"token":"abc","expires_in":300,"issued_at":"2023-11-14T22:11:40Z"}"#, life: 200),
    Answer(
      body: #"{"token":"abc","expires_in":300,"issued_at":"2023-11-14T22:11:40.123456789Z"}"#,
      life: 200),
    Answer(
      body: #"{"token":"abc","expires_in":300,"issued_at":"2023-11-15T00:11:40.5+02:00"}"#,
      life: 200),
    Answer(body: #"{"token":"abc","expires_in":300,"issued_at":null}"#, life: 300),
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

  @Test(arguments: ["yesterday", "", "2023-11-14", "2023-11-14T22:11:40", "2023-11-14T22:11:40.Q"])
  func `a beginning that can't be read was long ago`(_ start: String) throws {
    let body = #"{"token":"abc","expires_in":300,"issued_at":"\#(start)"}"#
    let response = try #require(TokenResponse(Array(body.utf8), at: Self.now))
    #expect(response.expiration < UnixTime(seconds: 0))
  }

  static func later(_ body: String, _ secondsLeft: Int64 = 200) -> String? {
    TokenResponse(Array(body.utf8), at: now)?.body(secondsLeft: secondsLeft)
      .map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [
    (#"{"token":"abc","expires_in":300}"#, #""token":"abc""#),
    (
      #" { "issued_at" : "2023-11-14T22:13:20Z" , "access_token":"a","x":{"expires_in":9,"y":[1,2]} ,"expires_in":3e2 } "#,
      #""access_token":"a","x":{"expires_in":9,"y":[1,2]} "#
    ),
    // What Go takes for the same name goes too; what looks like an end within a string does not count.
    (
      #"{"Expires_In":900,"expires_in":300,"token":"abc","n":1.10,"s":"},\"expires_in\":1,\\"}"#,
      #""token":"abc","n":1.10,"s":"},\"expires_in\":1,\\""#
    ),
  ])
  func `a response says later what is left, and all else as it was`(_ body: String, _ rest: String)
  {
    #expect(Self.later(body) == #"{"expires_in":200,\#(rest)}"#)
  }

  @Test func `nobody is told of less than the minute that clients take for the least`() {
    let body = #"{"token":"abc","expires_in":300}"#
    #expect(Self.later(body, 60) == #"{"expires_in":60,"token":"abc"}"#)
    #expect(Self.later(body, 59) == nil)
  }

  @Test(arguments: [
    // Clients would count the default from when they get it.
    #"{"token":"abc"}"#, #"{"token":"abc","expires_in":null}"#,
    // expires_in, spelt so that not everybody sees it.
    #"{"token":"abc","expires_in":300,"expires\u005fin":900}"#,
    #"{"token":"abc","expires_in":300,"expireſ_in":900}"#,
  ])
  func `a response that would be read another way is not given out again`(_ body: String) {
    #expect(TokenResponse(Array(body.utf8), at: Self.now) != nil)
    #expect(Self.later(body) == nil)
  }
}
