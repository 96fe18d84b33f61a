package import HTTPTransport
package import Primitives

/// AWS's default credential provider chain: the first source that is set up, in the SDKs' order.
///
/// | | source | set up by |
/// |---|---|---|
/// | 1 | environment | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` |
/// | 2 | the profile's role | `role_arn` with `source_profile` or `credential_source` |
/// | 3 | web identity | `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, or the profile's |
/// | 4 | the profile's own | shared credentials file, `credential_process`, shared config file |
/// | 5 | container | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, `…_FULL_URI` |
/// | 6 | instance | the EC2 instance's role |
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>; where the
/// SDKs differ, botocore's `create_credential_resolver`.
package struct CredentialChain: Sendable {
  package enum Outcome: Sendable {
    case found(Credential, by: String)
    case failed(CredentialError)
    /// No source is set up; a sentence for each.
    case absent([String])
  }

  private let sources: [any CredentialSource]
  /// Files whose change means another credential.
  package let watchedFiles: [String]

  package init(_ sources: [any CredentialSource], watchedFiles: [String] = []) {
    self.sources = sources
    self.watchedFiles = watchedFiles
  }

  /// - Parameter environment: the process's.
  package init(environment: [String: String]) {
    let files = ProfileFiles(environment)
    self.init(
      [
        EnvironmentSource(environment),
        ProfileRoleSource(environment, files),
        WebIdentitySource(environment, files),
        ProfileSource(environment, files),
        ContainerSource(environment),
        // Where the service is does not change while we run, as what it gives does.
        InstanceSource(environment, profile: files.read().settings(of: files.profile) ?? [:]),
      ], watchedFiles: files.paths)
  }

  package func load(over http: inout HTTPClient, now: UnixTime) -> Outcome {
    var absences: [String] = []
    for source in sources {
      do {
        switch try source.find(over: &http, now: now) {
        case .found(let credential, let by): return .found(credential, by: by)
        case .absent(let why): absences.append("\(source.name): \(why)")
        }
      } catch {
        return .failed(error)
      }
    }
    return .absent(absences)
  }
}

/// AWS's words for true, in an environment variable or a profile.
func isTrue(_ text: String?) -> Bool { text?.lowercased() == "true" }

extension [String: String] {
  /// The value, unless it is empty: SDKs take an empty variable for none.
  func filled(_ name: String) -> String? {
    guard let value = self[name], !value.isEmpty else { return nil }
    return value
  }
}
