package import HTTPTransport

/// The registry that is the source of truth.
package struct UpstreamRegistry: Sendable {
  /// By which request it is asked whether a client may read a blob.
  package enum Check: String, Sendable, CaseIterable {
    /// HEAD; and where a client with a credential is refused, once more by GET, since some registries
    /// refuse every HEAD.
    case auto
    case head
    /// As `auto`, and also after a 404, for registries that know a blob by GET only.
    case get
  }

  /// What a redirect of the registry's own proves.
  package enum Redirect: String, Sendable, CaseIterable {
    /// That the client may read the blob, when the target is the blob's: its path holds the digest.
    case digest
    case any
    case never
  }

  /// `http://host[:port][/prefix]`, without a slash at the end.
  package let url: String
  package let check: Check
  package let redirect: Redirect
  package let limits: HTTPLimits

  package init(
    url: String, check: Check = .auto, redirect: Redirect = .digest,
    limits: HTTPLimits = HTTPLimits()
  ) {
    self.url = url
    self.check = check
    self.redirect = redirect
    self.limits = limits
  }

  /// Asks upstream whether the client may read the blob.
  ///
  /// - Parameter client: sent as it is.
  package func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient
  ) throws(Unproven) -> BlobProof {
    do {
      return try ask(.head, path, client, &http)
    } catch {
      guard isWorthAnotherTry(error, client) else { throw error }
      return try ask(.get, path, client, &http)
    }
  }

  /// The request that reads the whole blob.
  package func request(for path: BlobPath, from client: ClientFields) -> HTTPRequest {
    request(.get, path, client)
  }

  private func isWorthAnotherTry(_ answer: Unproven, _ client: ClientFields) -> Bool {
    guard check != .head, case .status(let status) = answer else { return false }
    return client.hasCredential && [401, 403, 405].contains(status)
      || check == .get && status == 404
  }

  private func ask(
    _ method: HTTPRequest.Method, _ path: BlobPath, _ client: ClientFields, _ http: inout HTTPClient
  ) throws(Unproven) -> BlobProof {
    var request = request(method, path, client)
    if method == .get { request.fields.append(HTTPField("Range", "bytes=0-0")) }
    let receiver = HeadReceiver()
    do {
      try http.stream(request, to: receiver)
    } catch {
      // A long body is not read to its end: the head says all.
      guard error.kind == .stopped else { throw .unreachable(error.message) }
    }
    guard let head = receiver.head else { throw .unreachable("no response") }
    return try judge(head, path)
  }

  private func request(_ method: HTTPRequest.Method, _ path: BlobPath, _ client: ClientFields)
    -> HTTPRequest
  {
    HTTPRequest(
      method, url + String(decoding: path.bytes, as: UTF8.self), fields: client.fields,
      limits: limits)
  }
}

/// Takes the head. A body of a few bytes is let through, and the connection stays warm; at a long one
/// it is broken off.
private final class HeadReceiver: HTTPReceiver {
  var head: HTTPResponseHead?
  private var bodyBytes = 0

  func receive(head: HTTPResponseHead) -> Bool {
    self.head = head
    return true
  }

  func receive(body: Span<UInt8>) -> Bool {
    bodyBytes += body.count
    return bodyBytes <= 4096
  }
}
