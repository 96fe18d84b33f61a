internal import FastCGI
internal import Offload
internal import Primitives
internal import Registry

extension BlobRequest {
  /// Reads a web server's request.
  ///
  /// - Returns: `nil` when it is not a GET or HEAD of a blob's plain path.
  init?(_ request: Request, in location: Location, _ fingerprinter: Fingerprinter) {
    guard let path = BlobPath(request) else { return nil }
    self.init(request, for: path, in: location, fingerprinter)
  }

  /// Reads a request to the authorizer: the blob that the web server names, or else the request's own path.
  ///
  /// nginx can set any `REQUEST_URI`; Apache's mod_authnz_fcgi hands on the client's.
  init?(toAuthorize request: Request, in location: Location, _ fingerprinter: Fingerprinter) {
    let named = request.withParameter("BLOBLO_AUTHORIZE_URI") { BlobPath(requestTarget: $0) }
    guard let path = named ?? BlobPath(request) else { return nil }
    self.init(request, for: path, in: location, fingerprinter)
  }

  private init?(
    _ request: Request, for path: BlobPath, in location: Location, _ fingerprinter: Fingerprinter
  ) {
    guard let method = Method(request) else { return nil }
    let query = AccessQuery(
      location: location.id, fingerprint: fingerprinter.fingerprint(of: request, in: location),
      path: path)
    let wanted = request.withParameter("HTTP_RANGE") { (Range(field: $0), QuickHash($0).value) }
    self.init(
      method, query, range: wanted?.0 ?? .whole, isConditional: request.isConditional,
      ifRange: request.parameter("HTTP_IF_RANGE"), client: request.clientAddress,
      bytes: wanted?.1 ?? 0)
  }
}

/// FNV-1a, a quick hash for values that need no secrecy.
///
/// Source: <http://www.isthe.com/chongo/tech/comp/fnv/>
private struct QuickHash {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  init(_ bytes: Span<UInt8>) { add(bytes) }

  mutating func add(_ bytes: Span<UInt8>) {
    for i in bytes.indices { value = (value ^ UInt64(bytes[i])) &* 0x100_0000_01b3 }
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
      if name.isEqual(to: "GET") { .get } else if name.isEqual(to: "HEAD") { .head } else { nil }
    }
    guard let method, let method else { return nil }
    self = method
  }
}

extension Request {
  /// A hash of the client's address and of the proxies on the way.
  fileprivate var clientAddress: UInt64? {
    guard var hash = withParameter("REMOTE_ADDR", { $0.isEmpty ? nil : QuickHash($0) }) ?? nil
    else { return nil }
    _ = withParameter("HTTP_X_FORWARDED_FOR") { hash.add($0) }
    return hash.value
  }

  /// Source: RFC 9110 §13.1; `If-Range` is left to the server of the range.
  fileprivate var isConditional: Bool {
    has("HTTP_IF_NONE_MATCH") || has("HTTP_IF_MATCH") || has("HTTP_IF_MODIFIED_SINCE")
      || has("HTTP_IF_UNMODIFIED_SINCE")
  }

  private func has(_ name: StaticString) -> Bool { withParameter(name) { $0.count > 0 } ?? false }

  var isDelete: Bool { withParameter("REQUEST_METHOD") { $0.isEqual(to: "DELETE") } ?? false }

  /// Whether the request has come through bloblo before. Then the upstream is the web server that asks bloblo, and
  /// bloblo would ask itself for ever.
  ///
  /// A DELETE may go through two more instances of bloblo, and each must hear the answer.
  var isLoop: Bool {
    let passages = passages
    return passages > 0 && passages > (isDelete ? 2 : 0)
  }

  /// How many instances of bloblo the request has come through.
  private var passages: Int {
    withParameter("HTTP_VIA") { via in
      guard via.count >= 6 else { return 0 }
      return (0...(via.count - 6)).count { via.extracting($0..<($0 + 6)).isEqual(to: "bloblo") }
    } ?? 0
  }
}
