internal import System

/// Where AWS's two shared files are, and which profile of them is ours.
///
/// They are read at each use, so that a rotated key is used at once.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html>
package struct ProfileFiles: Sendable {
  /// nil when there is neither a setting nor a home.
  let configPath: String?
  let credentialsPath: String?
  /// `AWS_PROFILE`, or `default`.
  package let profile: String
  /// Whether someone chose the profile: then it must be there.
  let isChosen: Bool

  package init(_ environment: [String: String]) {
    let home = environment.filled("HOME")
    func path(_ name: String, _ standard: String) -> String? {
      if let path = environment.filled(name) {
        return path.hasPrefix("~/") ? home.map { $0 + path.dropFirst() } : path
      }
      return home.map { "\($0)/.aws/\(standard)" }
    }
    configPath = path("AWS_CONFIG_FILE", "config")
    credentialsPath = path("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    let chosen = environment.filled("AWS_PROFILE") ?? environment.filled("AWS_DEFAULT_PROFILE")
    profile = chosen ?? "default"
    isChosen = chosen != nil
  }

  var paths: [String] { [configPath, credentialsPath].compactMap(\.self) }

  /// Reads both. A file that is not there, or can't be read, has no profiles: so the SDKs take it.
  package func read() -> Profiles {
    Profiles(
      config: configPath.flatMap { SmallFile.text($0) }.map { ProfileFile($0, .config) },
      credentials: credentialsPath.flatMap { SmallFile.text($0) }.map {
        ProfileFile($0, .credentials)
      })
  }
}

/// The profiles of both files.
package struct Profiles: Sendable {
  private let config: [String: [String: String]]
  private let credentials: [String: [String: String]]

  init(config: ProfileFile?, credentials: ProfileFile?) {
    self.config = config?.profiles ?? [:]
    self.credentials = credentials?.profiles ?? [:]
  }

  /// A profile's settings, those of the credentials file before those of the config file; nil when
  /// neither has the profile.
  package func settings(of profile: String) -> [String: String]? {
    if config[profile] == nil && credentials[profile] == nil { return nil }
    return (config[profile] ?? [:]).merging(credentials[profile] ?? [:]) { $1 }
  }

  /// Only what the one file says.
  func credentials(of profile: String) -> [String: String] { credentials[profile] ?? [:] }
  func config(of profile: String) -> [String: String] { config[profile] ?? [:] }
}
