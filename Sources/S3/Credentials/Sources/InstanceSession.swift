internal import HTTPTransport
internal import Primitives

/// The requests to the metadata service of one fetching.
struct InstanceSession {
  private let name: String
  private let endpoint: String
  private let settings: InstanceSettings
  /// nil where only version 1 is spoken, which needs none.
  private var token: Secret<String>?
  /// What may have kept the token from us, for an error's end.
  private var hint = ""

  init(_ name: String, at endpoint: String, _ settings: InstanceSettings) {
    self.name = name
    self.endpoint = endpoint
    self.settings = settings
  }

  func error(_ reason: String) -> CredentialError {
    CredentialError(.unavailable, source: name, reason: reason + hint)
  }

  /// Gets a token, if tokens are given and come through.
  mutating func begin(_ http: inout HTTPClient) throws(InstanceFailure) {
    let response: HTTPResponse
    do throws(TransportError) {
      response = try send(
        .put, path: "/latest/api/token",
        fields: [HTTPField("x-aws-ec2-metadata-token-ttl-seconds", "21600")], over: &http)
    } catch {
      // The answer to the PUT lives for as many hops as the instance's options say, 1 by default: a
      // container on a bridge is the second. Other answers live on: version 1 may still work.
      if error.kind == .timeout {
        hint =
          "; in a container on EC2 this is the hop limit: aws ec2 modify-instance-metadata-options "
          + "--http-put-response-hop-limit 2"
      }
      guard error.kind == .timeout, !settings.isVersion1Disabled else { throw silence(error) }
      return
    }
    switch response.head.status {
    case 200: token = Secret(String(decoding: response.body, as: UTF8.self))
    case 403 where !settings.isVersion1Disabled, 404 where !settings.isVersion1Disabled,
      405 where !settings.isVersion1Disabled:
      return
    default:
      throw InstanceFailure(
        error("no token: status \(response.head.status)"), maybeNoInstance: true)
    }
  }

  func get(_ path: String, _ http: inout HTTPClient) throws(InstanceFailure) -> HTTPResponse {
    do throws(TransportError) {
      return try send(
        .get, path: path,
        fields: token.map { [HTTPField("x-aws-ec2-metadata-token", $0.exposed)] } ?? [], over: &http
      )
    } catch {
      throw silence(error)
    }
  }

  private func silence(_ error: TransportError) -> InstanceFailure {
    InstanceFailure(
      self.error("no answer from \(endpoint): \(error.message)"), maybeNoInstance: true)
  }

  private func send(
    _ method: HTTPRequest.Method, path: String, fields: [HTTPField], over http: inout HTTPClient
  ) throws(TransportError) -> HTTPResponse {
    let request = HTTPRequest(method, endpoint + path, fields: fields, limits: settings.limits)
    var attempt = 1
    while true {
      do {
        return try http.send(request, bodyLimit: 64 << 10)
      } catch {
        attempt += 1
        guard attempt > settings.attempts else { continue }
        throw error
      }
    }
  }
}

/// A failure, and whether it may mean that this is no instance.
struct InstanceFailure: Error {
  let error: CredentialError
  let maybeNoInstance: Bool

  init(_ error: CredentialError, maybeNoInstance: Bool) {
    self.error = error
    self.maybeNoInstance = maybeNoInstance
  }
}
