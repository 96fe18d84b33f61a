import FastCGI
import HTTPTransport
import Offload
import Registry

extension BlobRequest {
  /// Reads a web server's request.
  ///
  /// - Parameter isHostPreserved: whether the client's `Host` goes upstream.
  /// - Returns: `nil` when it is no GET or HEAD of a blob's plain path.
  init?(_ request: Request, isHostPreserved: Bool) {
    guard let method = Method(request), let path = BlobPath(request) else { return nil }
    self.init(
      method, path, range: request.withParameter("HTTP_RANGE") { Range(field: $0) } ?? .whole,
      isConditional: request.isConditional, ifRange: request.parameter("HTTP_IF_RANGE"),
      client: ClientFields(request, isHostPreserved: isHostPreserved))
  }
}

extension BlobPath {
  fileprivate init?(_ request: Request) {
    let path: BlobPath?? =
      request.isOfOwnProcess
      ? request.target.map { BlobPath(requestTarget: $0.span) }
      : request.withParameter("REQUEST_URI") { BlobPath(requestTarget: $0) }
    guard let path, let path else { return nil }
    self = path
  }
}

extension BlobRequest.Method {
  init?(_ request: Request) {
    let method: Self?? = request.withParameter("REQUEST_METHOD") { name in
      if name.equals("GET") { .get } else if name.equals("HEAD") { .head } else { nil }
    }
    guard let method, let method else { return nil }
    self = method
  }
}

extension Request {
  /// Source: RFC 9110 §13.1; `If-Range` is left to whoever serves the range.
  fileprivate var isConditional: Bool {
    has("HTTP_IF_NONE_MATCH") || has("HTTP_IF_MATCH") || has("HTTP_IF_MODIFIED_SINCE")
      || has("HTTP_IF_UNMODIFIED_SINCE")
  }

  private func has(_ name: StaticString) -> Bool { withParameter(name) { $0.count > 0 } ?? false }

  /// Whether the request has come through bloblo already: then its upstream is the web server that asks
  /// bloblo, and without this it would ask itself for ever.
  var isLoop: Bool {
    withParameter("HTTP_VIA") { via in
      via.count >= 6
        && (0...(via.count - 6)).contains { via.extracting($0..<($0 + 6)).equals("bloblo") }
    } ?? false
  }
}

extension ClientFields {
  /// The params that say who asks, by what, and from where.
  fileprivate init(_ request: Request, isHostPreserved: Bool) {
    var fields: [HTTPField] = []
    fields.reserveCapacity(8)
    func take(_ parameter: StaticString, as name: String) {
      guard let value = request.parameter(parameter), !value.isEmpty else { return }
      fields.append(HTTPField(name, value))
    }
    take("HTTP_AUTHORIZATION", as: "Authorization")
    take("HTTP_COOKIE", as: "Cookie")
    take("HTTP_USER_AGENT", as: "User-Agent")
    take("HTTP_X_FORWARDED_FOR", as: "X-Forwarded-For")
    take("HTTP_X_FORWARDED_PROTO", as: "X-Forwarded-Proto")
    take("HTTP_X_FORWARDED_HOST", as: "X-Forwarded-Host")
    take("HTTP_X_FORWARDED_PORT", as: "X-Forwarded-Port")
    if isHostPreserved { take("HTTP_HOST", as: "Host") }
    fields.append(HTTPField("Via", "1.1 bloblo"))
    self.init(fields)
  }
}

extension Span<UInt8> {
  fileprivate func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    for i in indices {
      guard unsafe self[i] == text.utf8Start[i] else { return false }
    }
    return true
  }
}
