internal import HTTPTransport
internal import Primitives

/// The role of the EC2 instance, from its metadata service, IMDSv2.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>
struct InstanceSource: CredentialSource {
  let name = "instance (EC2 metadata)"
  private let isDisabled: Bool
  private let isVersion1Disabled: Bool
  private let endpoint: String
  /// Whether this surely is an instance, so that silence is a failure and not an absence.
  private let isExpected: Bool
  private let limits: HTTPLimits
  private let attempts: Int

  init(_ environment: [String: String]) {
    isDisabled = isTrue(environment["AWS_EC2_METADATA_DISABLED"])
    isVersion1Disabled = isTrue(environment["AWS_EC2_METADATA_V1_DISABLED"])
    let named = environment.filled("AWS_EC2_METADATA_SERVICE_ENDPOINT")
    let isIPv6 = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
    var endpoint = named ?? (isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254")
    while endpoint.hasSuffix("/") { endpoint.removeLast() }
    self.endpoint = endpoint
    isExpected = named != nil || Self.isInstance
    let seconds = environment["AWS_METADATA_SERVICE_TIMEOUT"].flatMap { Int64($0) } ?? 1
    let limit = Duration.seconds(max(1, seconds))
    limits = HTTPLimits(connect: limit, head: limit, stall: limit)
    attempts = max(1, environment["AWS_METADATA_SERVICE_NUM_ATTEMPTS"].flatMap { Int($0) } ?? 1)
  }

  /// What the hypervisor says of itself.
  ///
  /// Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html>
  private static var isInstance: Bool {
    SmallFile.text("/sys/devices/virtual/dmi/id/sys_vendor")?.hasPrefix("Amazon EC2") ?? false
  }

  private static let roles = "/latest/meta-data/iam/security-credentials/"

  func find(
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> CredentialFinding {
    if isDisabled { return .absent("AWS_EC2_METADATA_DISABLED is true") }
    let role: String
    let response: HTTPResponse
    do throws(InstanceFailure) {
      let token = try token(&http)
      guard let found = try self.role(token, &http) else {
        return .absent("this instance has no role")
      }
      role = found
      response = try send(.get, Self.roles + role, token, &http)
    } catch {
      guard error.isSilence, !isExpected else { throw error.error }
      return .absent(error.error.reason)
    }
    guard response.head.status == 200 else {
      throw CredentialError(.unavailable, name, "role \(role): status \(response.head.status)")
    }
    let document = try CredentialDocument(response.body, from: name)
    return .found(try document.credential(from: name), by: "\(name), role \(role)")
  }

  /// nil where only version 1 is spoken, which needs none.
  private func token(_ http: inout HTTPClient) throws(InstanceFailure) -> Secret<String>? {
    let response: HTTPResponse
    do throws(InstanceFailure) {
      response = try send(
        .put, "/latest/api/token", nil, &http,
        [HTTPField("x-aws-ec2-metadata-token-ttl-seconds", "21600")])
    } catch {
      // The answer to the PUT lives for as many hops as the instance's options say, 1 by default: a
      // container on a bridge is the second.
      guard error.isSilence, error.isTimeout else { throw error }
      throw error.adding(
        "; in a container on EC2 this is the hop limit: aws ec2 modify-instance-metadata-options "
          + "--http-put-response-hop-limit 2")
    }
    switch response.head.status {
    case 200: return Secret(String(decoding: response.body, as: UTF8.self))
    case 403 where !isVersion1Disabled, 404 where !isVersion1Disabled,
      405 where !isVersion1Disabled:
      return nil
    default:
      throw InstanceFailure(
        CredentialError(.unavailable, name, "no token: status \(response.head.status)"))
    }
  }

  private func role(
    _ token: Secret<String>?, _ http: inout HTTPClient
  ) throws(InstanceFailure) -> String? {
    let response = try send(.get, Self.roles, token, &http)
    switch response.head.status {
    case 200:
      let role = String(decoding: response.body, as: UTF8.self).split(whereSeparator: \.isNewline)
        .first
      guard let role else { return nil }
      return PercentEncoding.string(String(role))
    case 404: return nil
    default:
      throw InstanceFailure(
        CredentialError(.unavailable, name, "the role's name: status \(response.head.status)"))
    }
  }

  private func send(
    _ method: HTTPRequest.Method, _ path: String, _ token: Secret<String>?,
    _ http: inout HTTPClient, _ fields: [HTTPField] = []
  ) throws(InstanceFailure) -> HTTPResponse {
    var fields = fields
    if let token { fields.append(HTTPField("x-aws-ec2-metadata-token", token.exposed)) }
    let request = HTTPRequest(method, endpoint + path, fields: fields, limits: limits)
    var attempt = 1
    while true {
      do {
        return try http.send(request, bodyLimit: 64 << 10)
      } catch {
        attempt += 1
        guard attempt > attempts else { continue }
        throw InstanceFailure(
          CredentialError(.unavailable, name, "no answer from \(endpoint): \(error.message)"),
          isSilence: true, isTimeout: error.kind == .timeout)
      }
    }
  }
}

/// A failure, and whether it may mean that there is no such service.
private struct InstanceFailure: Error {
  var error: CredentialError
  var isSilence = false
  var isTimeout = false

  init(_ error: CredentialError, isSilence: Bool = false, isTimeout: Bool = false) {
    self.error = error
    self.isSilence = isSilence
    self.isTimeout = isTimeout
  }

  func adding(_ words: String) -> InstanceFailure {
    var copy = self
    copy.error = CredentialError(error.kind, error.source, error.reason + words)
    return copy
  }
}
