internal import FastCGI
internal import HTTPTransport
internal import Primitives
internal import Registry
internal import Telemetry

extension HTTPRequest {
  /// A client's request as bloblo sends it on to the registry, without the fields of the client's connection.
  ///
  /// - Parameter isSiteBelieved: whether the web server's `BLOBLO_FIELD_…` go along. If not, the client's fields of
  ///   these names don't either.
  /// - Returns: `nil` for a request that can't be relayed: it has no target, or its method brings a body.
  init?(
    relaying request: Request, to upstream: UpstreamRegistry, isHostPreserved: Bool,
    isSiteBelieved: Bool
  ) {
    guard let method = request.parameter("REQUEST_METHOD"),
      let method = Method(rawValue: String(decoding: method, as: UTF8.self)),
      [.get, .head, .delete].contains(method),
      let target = request.target, let target = sendable(target)
    else { return nil }
    var fields = relayedFields(request, isHostPreserved: isHostPreserved)
    let site = SiteFields(request)
    fields.replace(by: isSiteBelieved ? site : site.withoutValues)
    let via = request.parameter("HTTP_VIA") ?? []
    fields.append(HTTPField("Via", via + (via.isEmpty ? "" : ", ").utf8 + "1.1 bloblo".utf8))
    fields.append(HTTPField(RequestID.field, RequestID(request).bytes))
    var limits = upstream.limits
    // The client waits for this answer as long as it would wait for the registry itself.
    limits.head = .seconds(60)
    self.init(method, upstream.url + target, fields: fields, limits: limits)
  }
}

/// The client's fields, with the web server's fields about the client, as a proxy sends them on.
private func relayedFields(_ request: Request, isHostPreserved: Bool) -> [HTTPField] {
  var fields: [HTTPField] = []
  let connection = (request.parameter("HTTP_CONNECTION") ?? []).tokens
  request.forEachParameter(prefix: "HTTP_") { parameter, value in
    let name = fieldName(parameter.dropFirst(5))
    let lowercased = name.lowercased()
    guard !isHopByHop(lowercased), lowercased != "via", lowercased != "x-request-id",
      lowercased != "host" || isHostPreserved,
      !connection.contains(lowercased) || isOfWholeWay(lowercased), value.count > 0
    else { return }
    fields.append(HTTPField(name, value.withArray { $0 }))
  }
  fields.appendAddress(of: request)
  return fields
}

/// Fields that the web server may have set, and that a client can't remove by its `Connection` field.
private func isOfWholeWay(_ lowercased: String) -> Bool {
  lowercased.hasPrefix("x-forwarded-")
    || ["authorization", "cookie", "forwarded", "host", "x-real-ip"]
      .contains(lowercased)
}

/// Fields of one connection. Source: RFC 9110 §7.6.1, and `Proxy`, which no client may set for a CGI
/// program (<https://httpoxy.org>).
func isHopByHop(_ lowercased: String) -> Bool {
  switch lowercased {
  case "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate",
    "proxy", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "expect":
    true
  default: false
  }
}

/// The target, with each byte encoded that a URL can't have; `nil` when it is not a path.
private func sendable(_ target: [UInt8]) -> String? {
  guard target.first == UInt8(ascii: "/") else { return nil }
  var sendable: [UInt8] = []
  sendable.reserveCapacity(target.count)
  for byte in target {
    // A raw "#" would end the path for libcurl.
    if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "#") {
      sendable.append(percentEncoding: byte)
    } else {
      sendable.append(byte)
    }
  }
  return String(decoding: sendable, as: UTF8.self)
}

extension [UInt8] {
  /// The names in a value such as `keep-alive, x-foo`, in lower case.
  var tokens: [String] {
    String(decoding: self, as: UTF8.self).lowercased().split { $0 == "," || $0 == " " }
      .map(String.init)
  }
}

extension Span<UInt8> {
  func withArray<Result>(_ body: ([UInt8]) -> Result) -> Result {
    body(unsafe withUnsafeBufferPointer { unsafe Array($0) })
  }
}
