internal import CCurl
internal import Synchronization

/// A blocking HTTP/1.1 client: one thread's own, its connections kept warm.
///
/// What goes out is what the caller gave: no redirect is followed, no netrc is read, no header is added, no
/// encoding asked for or undone. A proxy is used only where `ProxySettings` were set for the process.
package struct HTTPClient: ~Copyable {
  private var handle: EasyHandle
  /// The authorities that the handle's connections were checked by.
  private var generation: Int

  package init() {
    handle = EasyHandle()
    generation = authoritiesGeneration.load(ordering: .relaxed)
  }

  /// Has every client of the process read the files of authorities anew, and close the connections that were
  /// checked by the old ones, before its next request.
  package static func renewAuthorities() {
    authoritiesGeneration.wrappingAdd(1, ordering: .relaxed)
  }

  /// Sends the request and gives the whole response back.
  ///
  /// - Parameter bodyLimit: bytes of body that are kept; a longer one is an error.
  package mutating func send(_ request: HTTPRequest, bodyLimit: Int) throws(TransportError)
    -> HTTPResponse
  {
    let collector = BodyCollector(limit: bodyLimit)
    do {
      let head = try stream(request, to: collector)
      return HTTPResponse(head: head, body: collector.body)
    } catch {
      if collector.isOverLimit {
        throw TransportError(.broken, "the body is longer than \(bodyLimit) bytes")
      }
      throw error
    }
  }

  /// Sends the request and hands the response on as it comes.
  ///
  /// - Returns: the head, when the whole response has come.
  /// - Throws: `.stopped` when the receiver wanted no more; `.broken` when the body is shorter than its
  ///   `Content-Length` or its chunks don't end.
  @discardableResult
  package mutating func stream(
    _ request: HTTPRequest, to receiver: any HTTPReceiver
  ) throws(TransportError) -> HTTPResponseHead {
    guard request.fields.allSatisfy(\.isSendable) else {
      throw TransportError(.invalid, "a header has a line end in it")
    }
    let exchange = Exchange(request, receiver)
    var fields = FieldList()
    for field in request.fields { fields.append(field) }
    for own in ["Accept", "Expect", "Content-Type"]
    where request.fields.first(named: HTTPField.Name(own)) == nil { fields.remove(own) }

    let newest = authoritiesGeneration.load(ordering: .relaxed)
    if generation != newest {
      handle = EasyHandle()
      generation = newest
    }
    handle.reset()
    try setCommon(request.url, request.limits)
    try setMethod(request)
    try handle.setFields(fields)
    try handle.setCallbacks(exchange)
    let code = handle.perform()
    // The list must not end before the transfer has.
    extendLifetime(fields)
    if let ending = exchange.ending { throw handle.judged(ending) }
    guard code == CURLE_OK else {
      throw handle.judged(TransportError(kind(of: code, request.url), words(for: code)))
    }
    guard let head = exchange.head else { throw TransportError(.broken, "no response") }
    return head
  }

  /// Sends the request and gives the response's head back. Of its body no more is read than has come, and the
  /// connection is not used again.
  package mutating func head(of request: HTTPRequest) throws(TransportError) -> HTTPResponseHead {
    let receiver = HeadReceiver()
    do {
      return try stream(request, to: receiver)
    } catch {
      guard let head = receiver.head else { throw error }
      return head
    }
  }

  private func setCommon(_ url: String, _ limits: HTTPLimits) throws(TransportError) {
    try handle.set(CURLOPT_URL, url)
    try handle.set(CURLOPT_PATH_AS_IS, 1)
    try handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
    if let proxies = Self.proxies {
      try proxies.set(on: handle, for: url)
    } else {
      try handle.set(CURLOPT_PROXY, "")
    }
    try handle.set(CURLOPT_FOLLOWLOCATION, 0)
    try handle.set(CURLOPT_NOSIGNAL, 1)
    try handle.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    try handle.set(CURLOPT_HTTP_CONTENT_DECODING, 0)
    try handle.set(CURLOPT_TCP_KEEPALIVE, 1)
    // After a name that was not found libcurl 7.88 still holds the old buffer, and refuses: that is as large.
    try? handle.set(CURLOPT_BUFFERSIZE, 128 << 10)
    try handle.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(limits.connect))
    // libcurl keeps what it has read of such files for a day: renewed ones must count within a minute. No connection
    // lives so long that a server's new certificate is not seen.
    try handle.set(CURLOPT_CA_CACHE_TIMEOUT, 60)
    try handle.set(CURLOPT_MAXLIFETIME_CONN, 300)
    if let file = limits.caFile {
      try handle.set(CURLOPT_CAINFO, file)
      // Debian builds libcurl with the system's folder as a default, and OpenSSL trusts both.
      try handle.unset(CURLOPT_CAPATH)
    }
  }

  private func setMethod(_ request: HTTPRequest) throws(TransportError) {
    switch request.method {
    case .get: try handle.set(CURLOPT_HTTPGET, 1)
    case .head: try handle.set(CURLOPT_NOBODY, 1)
    case .delete: try handle.set(CURLOPT_CUSTOMREQUEST, "DELETE")
    case .put, .post:
      // UPLOAD is libcurl's word for "a body follows, its size is known".
      try handle.set(CURLOPT_UPLOAD, 1)
      try handle.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
      try handle.setOffset(CURLOPT_INFILESIZE_LARGE, request.body.count)
      try handle.set(CURLOPT_UPLOAD_BUFFERSIZE, 256 << 10)
    }
    // A request without a body has one clock for all; the others are watched for progress.
    if request.method == .head {
      try handle.set(CURLOPT_TIMEOUT_MS, milliseconds(request.limits.head))
    }
  }
}

/// Counts the renewals of the files of authorities.
let authoritiesGeneration = Atomic(0)

extension HTTPBody {
  /// The number of bytes.
  package var count: Int64 {
    switch self {
    case .none: 0
    case .bytes(let bytes): Int64(bytes.count)
    case .file(_, _, let count): count
    }
  }
}

/// At least 1: libcurl takes 0 for its own default.
private func milliseconds(_ duration: Duration) -> Int {
  let (seconds, attoseconds) = duration.components
  return max(1, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
}

private func kind(of code: CURLcode, _ url: String) -> TransportError.Kind {
  switch code {
  case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR,
    CURLE_PEER_FAILED_VERIFICATION,
    CURLE_SSL_CACERT_BADFILE:
    .connect
  case CURLE_OPERATION_TIMEDOUT: .timeout
  case CURLE_URL_MALFORMAT: .invalid
  // Also said of an answer without a status line.
  case CURLE_UNSUPPORTED_PROTOCOL: url.hasPrefix("http") ? .broken : .invalid
  default: .broken
  }
}
