import HTTPTransport
import S3

/// Answers with what it was given, and keeps what it was asked.
struct ScriptedClient: ~Copyable, HTTPSending {
  private(set) var requests: [HTTPRequest] = []
  private let answer: (HTTPRequest) -> Result<HTTPResponse, TransportError>

  /// - Parameter reply: status, fields and body by request.
  init(_ reply: @escaping (HTTPRequest) -> (Int, [HTTPField], String)) {
    answer = { request in
      let (status, fields, body) = reply(request)
      return .success(
        HTTPResponse(
          head: HTTPResponseHead(status: status, fields: fields), body: Array(body.utf8)))
    }
  }

  init(_ status: Int, _ fields: [HTTPField] = [], body: String = "") {
    self.init { _ in (status, fields, body) }
  }

  init(failing error: TransportError) {
    answer = { _ in .failure(error) }
  }

  mutating func send(
    _ request: HTTPRequest, bodyLimit: Int
  ) throws(TransportError) -> HTTPResponse {
    requests.append(request)
    return try answer(request).get()
  }

  /// Method, URL, and the fields but those of the signature.
  var sent: [String] {
    requests.flatMap { request in
      ["\(request.method.rawValue) \(request.url)"]
        + request.fields.filter {
          !["authorization", "x-amz-date", "x-amz-content-sha256"].contains($0.name.lowercased())
        }.map { "\($0.name): \($0.text)" }
    }
  }

  var payloadHash: String? {
    requests.last?.fields.first(named: "x-amz-content-sha256")?.text
  }
}
