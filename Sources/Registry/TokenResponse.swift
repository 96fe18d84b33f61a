internal import FoundationEssentials
package import Primitives

/// What a token server answers.
///
/// Source: <https://distribution.github.io/distribution/spec/auth/token/>, "Token Response Fields";
/// RFC 6749 §5.1.
package struct TokenResponse: Sendable {
  /// What a token lives for without `expires_in`, and what clients take for the least, in seconds.
  ///
  /// Source: the specification's `expires_in`; a smaller one counts as 60 in Docker's and skopeo's clients.
  package static let leastLife: Int64 = 60

  /// When the token ends: by `expires_in`, which is 60 s when it is not given, counted from `issued_at`
  /// and from when the response came, and by the token itself if it is a JWT; whichever is first.
  package let expiration: UnixTime
  /// The members that do not change with time, as they were written; `nil` when the response can't be
  /// given out again.
  private let lasting: [UInt8]?

  /// - Parameter now: when the response came, or was asked for.
  /// - Returns: `nil` for anything but a JSON object with a token in it.
  package init?(_ body: [UInt8], at now: UnixTime) {
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
      let token = answer.token ?? answer.accessToken, !token.isEmpty
    else { return nil }
    let life = max(0, min(answer.expiresIn ?? Double(Self.leastLife), 1e9))
    let start = answer.issuedAt.map { min(now, UnixTime(issuedAt: $0)) } ?? now
    let end = start + Int64(life)
    let ownEnd = BearerToken(authorization: Array("Bearer \(token)".utf8))?.expiration
    expiration = min(end, ownEnd ?? end)
    // Without a life each client gives the token 60 s from when it comes: later there is less.
    lasting = answer.expiresIn == nil ? nil : lastingMembers(of: body)
  }

  /// The response as it is true later.
  ///
  /// Every client counts from when it gets it: `issued_at`, which some would count from and others not,
  /// is left out.
  ///
  /// - Parameter secondsLeft: what is left of the token's life.
  /// - Returns: `nil` when clients would give the token more life than it has.
  package func body(secondsLeft: Int64) -> [UInt8]? {
    guard secondsLeft >= Self.leastLife, let lasting else { return nil }
    return Array("{\"expires_in\":\(secondsLeft),".utf8) + lasting + [UInt8(ascii: "}")]
  }

  private struct Answer: Decodable {
    let token: String?
    /// The same by OAuth 2's name.
    let accessToken: String?
    /// Seconds.
    let expiresIn: Double?
    /// RFC 3339.
    let issuedAt: String?

    private enum CodingKeys: String, CodingKey {
      case token
      case accessToken = "access_token"
      case expiresIn = "expires_in"
      case issuedAt = "issued_at"
    }
  }
}

extension UnixTime {
  /// - Parameter text: RFC 3339, the fraction of any length, which is dropped; the distant past is read
  ///   from what can't be read.
  fileprivate init(issuedAt text: String) {
    let whole = text.prefix { $0 != "." }
    let zone = text.dropFirst(whole.count + 1).drop { $0.isASCII && $0.isNumber }
    let date = try? Date(String(whole + zone), strategy: .iso8601)
    self.init(
      seconds: date.map { Int64(max(-1e15, min(1e15, $0.timeIntervalSince1970))) } ?? .min / 4)
  }
}

/// The members of a well-formed JSON object but `expires_in` and `issued_at`, each as it was written.
///
/// Names are compared without regard to case, as Go's clients do.
///
/// - Returns: `nil` when there are none, and when one has a name that may be another than it looks.
private func lastingMembers(of object: [UInt8]) -> [UInt8]? {
  var lasting: [UInt8] = []
  for member in members(of: object) {
    let text = member.drop { $0 <= 0x20 }
    guard text.first == UInt8(ascii: "\"") else { return nil }
    let name = text.dropFirst().prefix { $0 != UInt8(ascii: "\"") }
    guard name.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\\") })
    else { return nil }
    let lowercased = String(decoding: name, as: UTF8.self).lowercased()
    guard lowercased != "expires_in", lowercased != "issued_at" else { continue }
    if !lasting.isEmpty { lasting.append(UInt8(ascii: ",")) }
    lasting.append(contentsOf: text)
  }
  return lasting.isEmpty ? nil : lasting
}

/// What is between the commas of a well-formed JSON object, those within strings and values left alone.
private func members(of object: [UInt8]) -> [ArraySlice<UInt8>] {
  var members: [ArraySlice<UInt8>] = []
  var (start, depth) = (0, 0)
  var (isInString, isEscaped) = (false, false)
  for (i, byte) in object.enumerated() {
    if isInString {
      isInString = isEscaped || byte != UInt8(ascii: "\"")
      isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
      continue
    }
    switch byte {
    case UInt8(ascii: "\""): isInString = true
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      depth += 1
      if depth == 1 { start = i + 1 }
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      depth -= 1
      if depth == 0 { members.append(object[start..<i]) }
    case UInt8(ascii: ",") where depth == 1:
      members.append(object[start..<i])
      start = i + 1
    default: break
    }
  }
  return members
}
