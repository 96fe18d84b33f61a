internal import HTTPTransport
internal import Primitives
internal import System

/// A role for which someone else vouches, by a token in a file: EKS's IAM roles for service accounts.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>
struct WebIdentitySource: CredentialSource {
  let name = "web identity"
  private let environment: [String: String]
  private let files: ProfileFiles

  init(_ environment: [String: String], _ files: ProfileFiles) {
    self.environment = environment.filter { STSNames.all.contains($0.key) }
    self.files = files
  }

  func find(
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> CredentialFinding {
    let settings = files.read().settings(of: files.profile) ?? [:]
    let role = WebIdentity(environment, settings)
    guard let credential = try role?.credential(environment, settings, over: &http, now: now) else {
      return .absent("AWS_WEB_IDENTITY_TOKEN_FILE is not set")
    }
    return .found(credential, by: "\(name), role \(role?.roleARN ?? "")")
  }
}

/// What is said of a web identity, in the environment or a profile.
struct WebIdentity {
  let tokenFile: String
  let roleARN: String?
  private let sessionName: String?

  /// nil when nobody names a token.
  ///
  /// - Parameter environment: its variables come before the profile's settings; empty for a profile that
  ///   only vouches for another.
  init?(_ environment: [String: String], _ settings: [String: String]) {
    func text(_ variable: String, _ setting: String) -> String? {
      environment.filled(variable) ?? settings.filled(setting)
    }
    guard let file = text("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file") else {
      return nil
    }
    tokenFile = file
    roleARN = text("AWS_ROLE_ARN", "role_arn")
    sessionName = text("AWS_ROLE_SESSION_NAME", "role_session_name")
  }

  /// The token is read each time: its writer replaces it before it ends.
  func credential(
    _ environment: [String: String], _ settings: [String: String], over http: inout HTTPClient,
    now: UnixTime
  ) throws(CredentialError) -> Credential {
    let source = "web identity"
    guard let roleARN else {
      throw CredentialError(
        .misconfigured, source: source,
        reason: "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not")
    }
    guard let token = SmallFile.text(tokenFile)?.trimmed, !token.isEmpty else {
      throw CredentialError(
        .unavailable, source: source, reason: "\(tokenFile): no token can be read")
    }
    return try SecurityTokenService(environment, settings).assume(
      SecurityTokenService.Role(arn: roleARN, sessionName: sessionName),
      withWebIdentity: Secret(token), for: source, over: &http, now: now)
  }
}

/// The variables that have to do with roles; no other is kept.
enum STSNames {
  static let all: Set<String> = [
    "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL",
    "AWS_USE_FIPS_ENDPOINT", "AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
  ]
}
