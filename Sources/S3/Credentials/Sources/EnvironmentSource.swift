internal import HTTPTransport
internal import Primitives

/// The environment's own keys.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>
struct EnvironmentSource: CredentialSource {
  let name = "environment"
  private let environment: [String: Secret<String>]

  init(_ environment: [String: String]) {
    var kept: [String: Secret<String>] = [:]
    for name in Self.names { kept[name] = environment.filled(name).map { Secret($0) } }
    self.environment = kept
  }

  private static let names = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
  ]

  func find(
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> CredentialFinding {
    guard let id = environment["AWS_ACCESS_KEY_ID"]?.exposed else {
      return .absent("AWS_ACCESS_KEY_ID is not set")
    }
    guard let secret = environment["AWS_SECRET_ACCESS_KEY"] else {
      throw CredentialError(
        .misconfigured, source: name,
        reason: "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")
    }
    var expiration: UnixTime?
    if let text = environment["AWS_CREDENTIAL_EXPIRATION"]?.exposed {
      expiration = UnixTime(credentialTime: text)
      if expiration == nil {
        throw CredentialError(
          .misconfigured, source: name,
          reason: "AWS_CREDENTIAL_EXPIRATION: want a time such as 2030-01-01T00:00:00Z")
      }
    }
    let token = environment["AWS_SESSION_TOKEN"] ?? environment["AWS_SECURITY_TOKEN"]
    return .found(
      Credential(
        accessKeyID: id, secretAccessKey: secret, sessionToken: token, expiration: expiration),
      by: name)
  }
}
