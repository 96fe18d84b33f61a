internal import HTTPTransport
internal import System

/// Where the metadata service is, and how it is asked: by the environment, or else by the profile.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>
struct InstanceSettings: Sendable {
  /// Why there is no endpoint, in words for people.
  struct Mistake: Error {
    let words: String
  }

  /// Without a slash at its end.
  let endpoint: Result<String, Mistake>
  let isVersion1Disabled: Bool
  /// Whether this surely is an instance, so that silence is a failure and not an absence.
  let isExpected: Bool
  let limits: HTTPLimits
  let attempts: Int

  init(_ environment: [String: String], _ profile: [String: String]) {
    func text(_ variable: String, _ setting: String) -> String? {
      environment.filled(variable) ?? profile.filled(setting)
    }
    let named = text("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")
    endpoint = Self.endpoint(
      named: named,
      mode: text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode"))
    isVersion1Disabled = isTrue(text("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled"))
    isExpected = named != nil || Self.isInstance
    let seconds = text("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout")
      .flatMap { Int64($0) }
    let limit = Duration.seconds(min(60, max(1, seconds ?? 1)))
    limits = HTTPLimits(connect: limit, head: limit, idle: limit)
    attempts = max(
      1,
      text("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts")
        .flatMap { Int($0) } ?? 1)
  }

  private static func endpoint(named: String?, mode: String?) -> Result<String, Mistake> {
    let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
    let isIPv6: Bool
    switch mode?.lowercased() {
    case nil, "ipv4": isIPv6 = false
    case "ipv6": isIPv6 = true
    case _?:
      return .failure(Mistake(words: "\(name)_MODE: want IPv4 or IPv6, got \(mode ?? "")"))
    }
    guard let named else {
      return .success(isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254")
    }
    do {
      return .success("\(try Endpoint(named))")
    } catch {
      return .failure(Mistake(words: "\(name): \(error)"))
    }
  }

  /// What the hypervisor says of itself.
  ///
  /// Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html>
  private static var isInstance: Bool {
    SmallFile.text("/sys/devices/virtual/dmi/id/sys_vendor")?.hasPrefix("Amazon EC2") ?? false
  }
}
