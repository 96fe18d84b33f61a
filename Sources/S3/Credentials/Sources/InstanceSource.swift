internal import HTTPTransport
internal import Primitives

/// The role of the EC2 instance, from its metadata service: IMDSv2, and version 1 where that is all there
/// is or all that gets through.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>
struct InstanceSource: CredentialSource {
  let name = "instance (EC2 metadata)"
  private let isDisabled: Bool
  private let settings: InstanceSettings

  /// - Parameter profile: the settings of the profile, which count where the environment says nothing.
  init(_ environment: [String: String], profile: [String: String]) {
    isDisabled = isTrue(environment["AWS_EC2_METADATA_DISABLED"])
    settings = InstanceSettings(environment, profile)
  }

  private static let roles = "/latest/meta-data/iam/security-credentials/"

  func find(
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> CredentialFinding {
    if isDisabled { return .absent("AWS_EC2_METADATA_DISABLED is true") }
    let endpoint: String
    switch settings.endpoint {
    case .success(let text): endpoint = text
    case .failure(let mistake):
      throw CredentialError(.misconfigured, source: name, reason: mistake.words)
    }
    var session = InstanceSession(name, at: endpoint, settings)
    let role: String
    let response: HTTPResponse
    do throws(InstanceFailure) {
      try session.begin(&http)
      guard let found = try self.role(&session, &http) else {
        return .absent("this instance has no role")
      }
      role = found
      response = try session.get(Self.roles + role, &http)
    } catch {
      guard error.maybeNoInstance, !settings.isExpected else { throw error.error }
      return .absent(error.error.reason)
    }
    guard response.head.status == 200 else {
      throw CredentialError(
        .unavailable, source: name, reason: "role \(role): status \(response.head.status)")
    }
    let document = try CredentialDocument(response.body, from: name)
    return .found(try document.credential(from: name), by: "\(name), role \(role)")
  }

  private func role(
    _ session: inout InstanceSession, _ http: inout HTTPClient
  ) throws(InstanceFailure) -> String? {
    let response = try session.get(Self.roles, &http)
    switch response.head.status {
    case 200:
      let role = String(decoding: response.body, as: UTF8.self).split(whereSeparator: \.isNewline)
        .first
      guard let role else { return nil }
      return PercentEncoding.string(String(role))
    case 404: return nil
    case 401:
      // Only AWS's own asks for a token.
      throw InstanceFailure(session.error("the role's name: status 401"), maybeNoInstance: false)
    default:
      throw InstanceFailure(
        session.error("the role's name: status \(response.head.status)"), maybeNoInstance: true)
    }
  }
}
