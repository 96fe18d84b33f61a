internal import FastCGI
internal import HTTPTransport
internal import Primitives
internal import Registry
internal import Telemetry

/// A param of the web server that goes upstream as a field.
struct UpstreamParameter: Sendable {
  let parameter: StaticString
  let field: String

  /// The params that name the client, its program and its address.
  static let all: [UpstreamParameter] = [
    UpstreamParameter(parameter: "HTTP_AUTHORIZATION", field: "Authorization"),
    UpstreamParameter(parameter: "HTTP_COOKIE", field: "Cookie"),
    UpstreamParameter(parameter: "HTTP_X_FORWARDED_FOR", field: "X-Forwarded-For"),
    UpstreamParameter(parameter: "HTTP_X_REAL_IP", field: "X-Real-IP"),
    UpstreamParameter(parameter: "HTTP_X_FORWARDED_PROTO", field: "X-Forwarded-Proto"),
    UpstreamParameter(parameter: "HTTP_X_FORWARDED_HOST", field: "X-Forwarded-Host"),
    UpstreamParameter(parameter: "HTTP_X_FORWARDED_PORT", field: "X-Forwarded-Port"),
    UpstreamParameter(parameter: "HTTP_USER_AGENT", field: "User-Agent"),
  ]

  /// Sent only with `BLOBLO_PRESERVE_HOST=true`.
  static let host = UpstreamParameter(parameter: "HTTP_HOST", field: "Host")
}

private let via = HTTPField("Via", "1.1 bloblo")

extension ClientFields {
  /// The fields of a client's request that go upstream.
  ///
  /// - Parameter id: sent as `X-Request-Id`; it does not tell one client from another.
  init(_ request: Request, in location: Location, _ id: RequestID) {
    var fields: [HTTPField] = []
    fields.reserveCapacity(UpstreamParameter.all.count + 4)
    for known in location.upstreamParameters {
      guard let value = request.parameter(known.parameter), !value.isEmpty else { continue }
      fields.append(HTTPField(known.field, value))
    }
    fields.appendAddress(of: request)
    fields.replace(by: SiteFields(request))
    // A request that comes back to bloblo is known by this.
    fields.append(via)
    fields.append(HTTPField(RequestID.field, id.bytes))
    self.init(fields, host: request.parameter("HTTP_HOST"))
  }

  /// When the client's token ends, as the token says.
  ///
  /// - Returns: `nil` for a credential without an end; the distant past for a token whose end can't be read.
  var credentialEnd: UnixTime? { bearer.flatMap { BearerToken(authorization: $0)?.expiration } }

  /// The value of `Authorization` if it may be a bearer token.
  var bearer: [UInt8]? {
    guard let field = fields.first(named: "authorization"), BearerToken.mayBegin(field.value) else {
      return nil
    }
    return field.value
  }
}

extension [HTTPField] {
  /// Appends the peer's address to `X-Forwarded-For`, as a proxy does, behind what the client claims. Does nothing
  /// when the web server has appended it already. Sets `X-Real-IP` to the same address if the field is there.
  mutating func appendAddress(of request: Request) {
    if let lines = request.forwardedForOfSeveralLines {
      removeAll { $0.isNamed("X-Forwarded-For") }
      append(HTTPField("X-Forwarded-For", lines))
    }
    guard let address = request.parameter("REMOTE_ADDR"), !address.isEmpty else { return }
    for i in indices where self[i].isNamed("X-Real-IP") {
      self[i] = HTTPField(self[i].name, address)
    }
    guard let i = firstIndex(where: { $0.isNamed("X-Forwarded-For") }) else {
      return append(HTTPField("X-Forwarded-For", address))
    }
    let claimed = self[i].value
    let last = claimed[(claimed.lastIndex(of: UInt8(ascii: ",")).map { $0 + 1 } ?? 0)...]
    guard !last.drop(while: { $0 == UInt8(ascii: " ") }).elementsEqual(address) else { return }
    self[i] = HTTPField(self[i].name, claimed + [UInt8](", ".utf8) + address)
  }
}

extension Request {
  /// The lines of `X-Forwarded-For` in one, when there are several and the web server hands on each as a param of its
  /// own, as HAProxy does. A proxy appends a line with the address that counts.
  var forwardedForOfSeveralLines: [UInt8]? {
    let name: StaticString = "HTTP_X_FORWARDED_FOR"
    guard count(of: name) > 1 else { return nil }
    var lines: [UInt8] = []
    forEachParameter(withPrefix: name) { found, value in
      guard found.count == name.utf8CodeUnitCount else { return }
      if !lines.isEmpty, value.count > 0 { lines.append(contentsOf: ", ".utf8) }
      lines.append(contentsOf: value.withArray { $0 })
    }
    return lines.isEmpty ? nil : lines
  }
}
