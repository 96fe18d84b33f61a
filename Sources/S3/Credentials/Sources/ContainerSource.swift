internal import HTTPTransport
internal import Primitives
internal import System

/// The agent beside a container: Amazon ECS, EKS Pod Identity.
///
/// The token goes to the agent and to nobody else: over plain HTTP only loopback and AWS's own link-local
/// addresses are asked.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
struct ContainerSource: CredentialSource {
  let name = "container"
  private let relativeURI: String?
  private let fullURI: String?
  private let token: Secret<String>?
  private let tokenFile: String?
  private let caFile: String?

  init(_ environment: [String: String]) {
    relativeURI = environment.filled("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    fullURI = environment.filled("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    token = environment.filled("AWS_CONTAINER_AUTHORIZATION_TOKEN").map { Secret($0) }
    tokenFile = environment.filled("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    caFile = environment.filled("AWS_CA_BUNDLE")
  }

  /// Of ECS, and of EKS Pod Identity.
  private static let agents: Set<String> = [
    "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost",
  ]

  func find(
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> CredentialFinding {
    guard let url = try url() else {
      return .absent("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and …_FULL_URI are not set")
    }
    var fields = [HTTPField("Accept", "application/json")]
    // The file is read each time: EKS replaces the token in it.
    if let token = try currentToken() { fields.append(HTTPField("Authorization", token)) }
    let request = HTTPRequest(
      .get, url, fields: fields,
      limits: HTTPLimits(
        connect: .seconds(2), head: .seconds(5), idle: .seconds(5),
        caFile: caFile))
    let response: HTTPResponse
    do {
      response = try http.send(request, bodyLimit: 64 << 10)
    } catch {
      throw CredentialError(.unavailable, source: name, reason: "no answer: \(error.message)")
    }
    guard response.head.status == 200 else {
      throw CredentialError(.unavailable, source: name, reason: "status \(response.head.status)")
    }
    let document = try CredentialDocument(response.body, from: name)
    return .found(try document.credential(from: name), by: name)
  }

  private func url() throws(CredentialError) -> String? {
    if let relativeURI {
      guard relativeURI.hasPrefix("/") else {
        throw CredentialError(
          .misconfigured, source: name,
          reason: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: want a path with / first")
      }
      return "http://169.254.170.2\(relativeURI)"
    }
    guard let fullURI else { return nil }
    let setting = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    guard let url = try? HTTPURL(fullURI) else {
      throw CredentialError(
        .misconfigured, source: name, reason: "\(setting): want http:// or https:// and a host")
    }
    guard url.scheme == .https || Self.isTrusted(url.host) else {
      throw CredentialError(
        .misconfigured, source: name,
        reason:
          "\(setting): want https, a loopback address, 169.254.170.2 or 169.254.170.23, got \(url.host)"
      )
    }
    return fullURI
  }

  private static func isTrusted(_ host: String) -> Bool {
    if agents.contains(host) || host == "[::1]" { return true }
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    return numbers.count == 4 && numbers[0] == 127 && numbers.allSatisfy { $0 != nil }
  }

  private func currentToken() throws(CredentialError) -> String? {
    var text = token?.exposed
    if let tokenFile {
      text = SmallFile.text(tokenFile)
      guard text != nil else {
        throw CredentialError(
          .unavailable, source: name,
          reason: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: \(tokenFile) can't be read")
      }
    }
    guard let text else { return nil }
    guard HTTPField("Authorization", text).isSendable else {
      throw CredentialError(
        .misconfigured, source: name, reason: "the authorization token has a line end in it")
    }
    return text
  }
}
