internal import HTTPTransport
internal import Primitives

/// What the profile has of its own: keys, or a program that prints some.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html>
struct ProfileSource: CredentialSource {
  let name = "shared files"
  private let files: ProfileFiles
  private let environment: [String: String]

  init(_ environment: [String: String], _ files: ProfileFiles) {
    self.environment = environment
    self.files = files
  }

  func find(
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> CredentialFinding {
    let profiles = files.read()
    let profile = files.profile
    guard let settings = profiles.settings(of: profile) else {
      let places = files.paths.isEmpty ? "HOME is not set" : files.paths.joined(separator: ", ")
      guard !files.isChosen else {
        throw CredentialError(
          .misconfigured, source: name,
          reason: "AWS_PROFILE: no profile \"\(profile)\" in \(places)")
      }
      return .absent("no profile \"\(profile)\" (\(places))")
    }
    let own = OwnCredential(profile, profiles)
    guard let credential = try own.find() else {
      return .absent(
        "profile \"\(profile)\" has no keys"
          + (settings.isEmpty ? "" : ": \(settings.keys.sorted().joined(separator: ", "))"))
    }
    return .found(credential, by: "\(name), profile \(profile)")
  }
}

/// What one profile has of its own.
struct OwnCredential {
  private let profile: String
  private let profiles: Profiles

  init(_ profile: String, _ profiles: Profiles) {
    self.profile = profile
    self.profiles = profiles
  }

  private var source: String { "profile \(profile)" }

  /// In botocore's order: credentials file, process, config file.
  func find() throws(CredentialError) -> Credential? {
    let settings = profiles.settings(of: profile) ?? [:]
    try refuseLogin(settings)
    if let credential = try keys(profiles.credentials(of: profile)) { return credential }
    if let command = settings.filled("credential_process") {
      return try ProcessSource(command: command, name: "credential_process of \(source)").run()
    }
    return try keys(profiles.config(of: profile))
  }

  /// Source: <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html>
  private func refuseLogin(_ settings: [String: String]) throws(CredentialError) {
    let logins = ["sso_session", "sso_start_url", "sso_account_id", "login_session"]
    guard let login = logins.first(where: { settings.filled($0) != nil }) else { return }
    throw CredentialError(
      .misconfigured, source: source,
      reason:
        "\(login) is not supported: its tokens come from a person at a browser, and end with the day; give "
        + "bloblo a role of its machine (instance, container, web identity), or a profile with "
        + "credential_process = aws configure export-credentials --profile \(profile) --format process"
    )
  }

  private func keys(_ settings: [String: String]) throws(CredentialError) -> Credential? {
    guard let id = settings.filled("aws_access_key_id") else { return nil }
    guard let secret = settings.filled("aws_secret_access_key") else {
      throw CredentialError(
        .misconfigured, source: source,
        reason: "aws_access_key_id is there, but aws_secret_access_key is not")
    }
    let token = settings.filled("aws_session_token") ?? settings.filled("aws_security_token")
    return Credential(
      accessKeyID: id, secretAccessKey: Secret(secret), sessionToken: token.map { Secret($0) })
  }
}
