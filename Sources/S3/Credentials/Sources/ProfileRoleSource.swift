internal import HTTPTransport
internal import Primitives

/// The role that the profile names, taken on with the credential of another profile or source.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>
struct ProfileRoleSource: CredentialSource {
  let name = "the profile's role"
  private let environment: [String: String]
  private let files: ProfileFiles

  init(_ environment: [String: String], _ files: ProfileFiles) {
    self.environment = environment
    self.files = files
  }

  func find(
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> CredentialFinding {
    let profiles = files.read()
    guard let settings = profiles.settings(of: files.profile), AssumedRole.isNamed(in: settings)
    else {
      return .absent("profile \"\(files.profile)\" has no role_arn")
    }
    var role = AssumedRole(environment, profiles, start: files.profile)
    let credential = try role.assume(files.profile, settings, over: &http, now: now)
    return .found(credential, by: "profile \(files.profile), role \(settings["role_arn"] ?? "")")
  }
}

/// A chain of roles: each is taken on by the one before it.
struct AssumedRole {
  private let environment: [String: String]
  private let profiles: Profiles
  /// The profiles that were visited.
  private var visited: [String]

  init(_ environment: [String: String], _ profiles: Profiles, start: String) {
    self.environment = environment
    self.profiles = profiles
    visited = [start]
  }

  static func isNamed(in settings: [String: String]) -> Bool {
    settings.filled("role_arn") != nil && settings.filled("web_identity_token_file") == nil
  }

  mutating func assume(
    _ profile: String, _ settings: [String: String], over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> Credential {
    let source = "profile \(profile)"
    guard settings.filled("mfa_serial") == nil else {
      throw CredentialError(
        .misconfigured, source: source,
        reason: "mfa_serial is not supported: bloblo has no user to type the code")
    }
    let credential: Credential
    switch (settings.filled("source_profile"), settings.filled("credential_source")) {
    case (let other?, nil): credential = try vouch(other, for: profile, over: &http, now: now)
    case (nil, let named?):
      credential = try self.credential(from: named, for: source, over: &http, now: now)
    case (nil, nil):
      throw CredentialError(
        .misconfigured, source: source,
        reason: "role_arn without source_profile or credential_source")
    default:
      throw CredentialError(
        .misconfigured, source: source, reason: "want source_profile or credential_source, got both"
      )
    }
    return try SecurityTokenService(environment, settings).assume(
      SecurityTokenService.Role(
        arn: settings["role_arn"] ?? "", sessionName: settings.filled("role_session_name"),
        externalID: settings.filled("external_id"),
        durationSeconds: settings.filled("duration_seconds")),
      by: credential, for: source, over: &http, now: now)
  }

  private mutating func vouch(
    _ other: String, for profile: String, over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> Credential {
    let source = "profile \(profile)"
    guard let settings = profiles.settings(of: other) else {
      throw CredentialError(
        .misconfigured, source: source, reason: "source_profile: there is no profile \(other)")
    }
    let hasKeys =
      settings.filled("aws_access_key_id") != nil
      || settings.filled("aws_secret_access_key") != nil
    if visited.contains(other) {
      // A profile may name itself, to have its keys and its role in one place.
      guard other == profile, hasKeys else {
        throw CredentialError(
          .misconfigured, source: source,
          reason: "source_profile makes a circle: \((visited + [other]).joined(separator: " → "))")
      }
    }
    visited.append(other)
    if !hasKeys, Self.isNamed(in: settings) {
      return try assume(other, settings, over: &http, now: now)
    }
    // The environment's variables speak for the process, not for another profile.
    let settingsOnly = environment.filter {
      !$0.key.hasPrefix("AWS_WEB_IDENTITY") && !$0.key.hasPrefix("AWS_ROLE")
    }
    if let identity = WebIdentity([:], settings) {
      return try identity.credential(settingsOnly, settings, over: &http, now: now)
    }
    guard let credential = try OwnCredential(other, profiles).find() else {
      throw CredentialError(
        .misconfigured, source: source, reason: "source_profile: profile \(other) has no keys")
    }
    return credential
  }

  private func credential(
    from named: String, for source: String, over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> Credential {
    let sources: [String: any CredentialSource] = [
      "environment": EnvironmentSource(environment),
      "ec2instancemetadata": InstanceSource(
        environment, profile: profiles.settings(of: visited[0]) ?? [:]),
      "ecscontainer": ContainerSource(environment),
    ]
    guard let origin = sources[named.lowercased()] else {
      throw CredentialError(
        .misconfigured, source: source,
        reason:
          "credential_source: want Environment, Ec2InstanceMetadata or EcsContainer, got \(named)")
    }
    switch try origin.find(over: &http, now: now) {
    case .found(let credential, _): return credential
    case .absent(let why):
      throw CredentialError(
        .unavailable, source: source, reason: "credential_source \(named): \(why)")
    }
  }
}
