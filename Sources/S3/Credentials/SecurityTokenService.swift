internal import HTTPTransport
internal import Hashing
internal import Primitives
internal import XML

/// AWS's Security Token Service: what turns an identity into a role's credential.
///
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
struct SecurityTokenService: Sendable {
  let endpoint: String
  let region: String
  private let caFile: String?
  /// Where `endpoint` comes from.
  private let setting: String

  /// The region's own service, unless another is named.
  ///
  /// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html>
  init(_ environment: [String: String], _ settings: [String: String]) {
    let region =
      environment.filled("AWS_REGION") ?? environment.filled("AWS_DEFAULT_REGION")
      ?? settings.filled("region") ?? "us-east-1"
    self.region = region
    let named =
      environment.filled("AWS_ENDPOINT_URL_STS") ?? environment.filled("AWS_ENDPOINT_URL")
      ?? settings.filled("endpoint_url")
    let partition = Partition(of: region)
    let isFIPS = isTrue(environment["AWS_USE_FIPS_ENDPOINT"] ?? settings["use_fips_endpoint"])
    // In us-gov the plain names are FIPS ones.
    let service = isFIPS && partition != .usGov ? "sts-fips" : "sts"
    setting =
      named == nil ? "AWS_REGION" : "AWS_ENDPOINT_URL_STS (or AWS_ENDPOINT_URL, or endpoint_url)"
    endpoint = named ?? "https://\(service).\(region).\(partition.domain)"
    caFile = environment.filled("AWS_CA_BUNDLE") ?? settings.filled("ca_bundle")
  }

  struct Role {
    var arn: String
    var sessionName: String?
    var externalID: String?
    /// Seconds; STS's own default is 3600.
    var durationSeconds: String?
  }

  func assume(
    _ role: Role, by credential: Credential, for source: String, over http: inout HTTPClient,
    now: UnixTime
  ) throws(CredentialError) -> Credential {
    var form = form("AssumeRole", role: role, now: now)
    if let id = role.externalID { form.append(("ExternalId", id)) }
    return try send(
      form, signedBy: credential, for: source, over: &http, now: now, action: "AssumeRole")
  }

  /// Asks unsigned: the token is the proof.
  func assume(
    _ role: Role, withWebIdentity token: Secret<String>, for source: String,
    over http: inout HTTPClient, now: UnixTime
  ) throws(CredentialError) -> Credential {
    var form = form("AssumeRoleWithWebIdentity", role: role, now: now)
    form.append(("WebIdentityToken", token.exposed))
    return try send(
      form, signedBy: nil, for: source, over: &http, now: now, action: "AssumeRoleWithWebIdentity")
  }

  private func form(_ action: String, role: Role, now: UnixTime) -> [(String, String)] {
    var form = [
      ("Action", action), ("Version", "2011-06-15"), ("RoleArn", role.arn),
      ("RoleSessionName", role.sessionName ?? "bloblo-\(now.seconds)"),
    ]
    if let seconds = role.durationSeconds { form.append(("DurationSeconds", seconds)) }
    return form
  }

  private func send(
    _ form: [(String, String)], signedBy credential: Credential?, for source: String,
    over http: inout HTTPClient, now: UnixTime, action: String
  ) throws(CredentialError) -> Credential {
    do throws(HTTPURLError) {
      _ = try HTTPURL(endpoint)
    } catch {
      throw CredentialError(
        .misconfigured, source: source, reason: "\(setting) makes no URL of STS: \(error)")
    }
    let body = Array(
      form.map { "\(PercentEncoding.string($0.0))=\(PercentEncoding.string($0.1))" }
        .joined(separator: "&").utf8)
    var request = HTTPRequest(
      .post, endpoint.hasSuffix("/") ? endpoint : endpoint + "/",
      fields: [
        HTTPField("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
        HTTPField("Accept", "application/xml"),
      ], body: .bytes(body),
      limits: HTTPLimits(
        connect: .seconds(5), head: .seconds(10), idle: .seconds(10),
        caFile: caFile))
    var response = try exchange(
      &request, body: body, credential: credential, source: source, over: &http, time: now)
    if response.head.status != 200, credential != nil,
      let date = response.head.fields.first(named: "date").flatMap({ UnixTime(httpDate: $0.text) }),
      abs(date - now) > ServerClock.tolerance
    {
      // Our clock is wrong, and STS refuses a signature of another time than its own.
      response = try exchange(
        &request, body: body, credential: credential, source: source, over: &http, time: date)
    }
    guard response.head.status == 200 else {
      throw CredentialError(
        .unavailable, source: source, reason: "STS \(action): \(S3ErrorResponse(response))")
    }
    return try Self.credential(response.body, action: action, source: source)
  }

  private func exchange(
    _ request: inout HTTPRequest, body: [UInt8], credential: Credential?, source: String,
    over http: inout HTTPClient, time: UnixTime
  ) throws(CredentialError) -> HTTPResponse {
    if let credential {
      var hash = HashFunction(.sha256)
      hash.update(body.span)
      Signer(credential, region: region, service: "sts")
        .sign(&request, payloadHash: .sha256(hash.finalize()), now: time)
    }
    do {
      return try http.send(request, bodyLimit: 256 << 10)
    } catch {
      throw CredentialError(
        .unavailable, source: source, reason: "STS \(endpoint): \(error.message)")
    }
  }

  static func credential(
    _ body: [UInt8], action: String, source: String
  ) throws(CredentialError) -> Credential {
    let document = try? XMLElement(parsing: body)
    guard let facts = document?.first("\(action)Result")?.first("Credentials"),
      let id = facts.text(of: "AccessKeyId"), let secret = facts.text(of: "SecretAccessKey"),
      let token = facts.text(of: "SessionToken"),
      let end = facts.text(of: "Expiration").flatMap({ UnixTime(credentialTime: $0) })
    else {
      throw CredentialError(
        .unavailable, source: source, reason: "STS \(action): an answer without Credentials")
    }
    let credential = Credential(
      accessKeyID: id, secretAccessKey: Secret(secret), sessionToken: Secret(token),
      expiration: end)
    guard credential.isUsable else {
      throw CredentialError(
        .unavailable, source: source,
        reason: "STS \(action): the key, secret or token is empty, or has a line end in it")
    }
    return credential
  }
}
