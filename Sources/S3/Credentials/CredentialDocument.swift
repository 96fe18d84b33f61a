internal import FoundationEssentials
internal import Primitives

/// The JSON that instance, container and `credential_process` answer with.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>,
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>
struct CredentialDocument: Decodable {
  /// `credential_process` only: 1.
  var version: Int?
  /// Of an instance: `Success`, or why not.
  var code: String?
  var message: String?
  var accessKeyID: String?
  var secretAccessKey: String?
  var token: String?
  var sessionToken: String?
  var expiration: String?

  enum CodingKeys: String, CodingKey {
    case version = "Version"
    case code = "Code"
    case message = "Message"
    case accessKeyID = "AccessKeyId"
    case secretAccessKey = "SecretAccessKey"
    case token = "Token"
    case sessionToken = "SessionToken"
    case expiration = "Expiration"
  }

  /// - Throws: `.unavailable`, without the document: it may hold a secret.
  init(_ body: [UInt8], from source: String) throws(CredentialError) {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(body))
    } catch {
      throw CredentialError(
        .unavailable, source: source,
        reason: "want a JSON object with AccessKeyId, got something else")
    }
  }

  func credential(from source: String) throws(CredentialError) -> Credential {
    if let code, code != "Success" {
      throw CredentialError(
        .unavailable, source: source,
        reason: "code \(code.prefix(100)): \(message?.prefix(300) ?? "")")
    }
    guard let accessKeyID, let secretAccessKey else {
      throw CredentialError(
        .unavailable, source: source, reason: "an answer without AccessKeyId or SecretAccessKey")
    }
    var end: UnixTime?
    if let expiration {
      end = UnixTime(credentialTime: expiration)
      guard end != nil else {
        throw CredentialError(.unavailable, source: source, reason: "the Expiration is not a time")
      }
    }
    let credential = Credential(
      accessKeyID: accessKeyID, secretAccessKey: Secret(secretAccessKey),
      sessionToken: (sessionToken ?? token).flatMap { $0.isEmpty ? nil : Secret($0) },
      expiration: end)
    guard credential.isUsable else {
      throw CredentialError(
        .unavailable, source: source,
        reason: "the key, secret or token is empty, or has a line end in it")
    }
    return credential
  }
}

extension UnixTime {
  /// - Parameter text: ISO 8601 with `Z` or an offset: `2030-01-01T00:00:00Z`, `…+01:00`.
  init?(credentialTime text: String) {
    if let time = UnixTime(iso8601: text) {
      self = time
      return
    }
    guard let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" }),
      let time = UnixTime(iso8601: text[..<sign] + "Z")
    else { return nil }
    let digits = text[sign...].dropFirst().filter { $0 != ":" }
    guard digits.utf8.count == 4, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int64(digits)
    else { return nil }
    let offset = (number / 100 * 60 + number % 100) * 60
    self = time + (text[sign] == "+" ? -offset : offset)
  }
}
