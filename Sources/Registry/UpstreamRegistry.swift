package import HTTPTransport
internal import Primitives

/// The registry that is the source of truth.
package struct UpstreamRegistry: Sendable {
  /// By which request it is asked whether a client may read a blob.
  package enum Check: String, Sendable, CaseIterable {
    /// HEAD; and where a client with a credential is refused, or HEAD is not allowed, once more by GET, since
    /// some registries refuse every HEAD.
    case auto
    case head
    /// As `auto`, and also after a 404, for registries that know a blob by GET only.
    case get
  }

  /// What a redirect of the registry's own proves.
  package enum Redirect: String, Sendable, CaseIterable {
    /// That the client may read the blob, when the target is the blob's: its path names the digest, and it is
    /// signed or on a named host.
    case digest
    case any
    case never
  }

  /// `http://host[:port][/prefix]`, without a slash at the end.
  package let url: String
  package let check: Check
  package let redirect: Redirect
  /// Where the registry keeps its blobs, by the operator's word: `BLOBLO_UPSTREAM_FOLLOW`.
  package let namedHosts: FollowedHosts
  package let limits: HTTPLimits
  /// What others that ask the same registry have learnt, where they share it.
  package var experience = HeadExperience()

  package init(
    url: String, check: Check = .auto, redirect: Redirect = .digest,
    namedHosts: FollowedHosts = .none, limits: HTTPLimits = HTTPLimits()
  ) {
    self.url = url
    self.check = check
    self.redirect = redirect
    self.namedHosts = namedHosts
    self.limits = limits
  }

  /// Asks upstream whether the client may read the blob.
  ///
  /// - Parameter client: sent as it is.
  package func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient
  ) throws(Unproven) -> BlobProof {
    try prove(path, for: client, by: &http) { _ in }
  }

  /// The same.
  ///
  /// - Parameter hear: called with the head of each answer.
  package func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient,
    hear: (HTTPResponseHead) -> Void
  ) throws(Unproven) -> BlobProof {
    let head = try ask(.head, path, for: client, over: &http)
    hear(head)
    switch verdict(on: head, path, { client }) {
    case .final(let result): return try result.get()
    case .again(let refusal):
      let second = try ask(.get, path, for: client, over: &http)
      hear(second)
      return try verdict(on: second, after: refusal, path, { client }).get()
    }
  }

  /// The same on an event loop: nobody waits.
  ///
  /// - Parameters:
  ///   - renewed: makes the client's fields anew, for a second question or a refusal. They are not kept while the first
  ///     question waits.
  ///   - isWanted: asked when the question's turn comes.
  ///   - then: called on the loop's thread.
  package func prove(
    _ path: BlobPath, for client: ClientFields, renewed: @escaping () -> ClientFields,
    by questions: QuestionClient,
    isWanted: @escaping () -> Bool, hear: @escaping (HTTPResponseHead) -> Void = { _ in },
    then: @escaping (Result<BlobProof, Unproven>) -> Void
  ) {
    func ask(_ question: HTTPRequest, heard: @escaping (HTTPResponseHead) -> Void) {
      questions.ask(question, group: QuestionGroup(path.name.bytes), isWanted: isWanted) { answer in
        switch answer {
        case .success(let head):
          hear(head)
          heard(head)
        case .failure(let error): then(.failure(Unproven(error)))
        }
      }
    }
    ask(question(.head, path, for: client)) { head in
      switch verdict(on: head, path, renewed) {
      case .final(let result): then(result)
      case .again(let refusal):
        ask(question(.get, path, for: renewed())) {
          then(verdict(on: $0, after: refusal, path, renewed))
        }
      }
    }
  }

  private enum Verdict {
    case final(Result<BlobProof, Unproven>)
    /// A HEAD was refused, and a GET may not be.
    case again(Unproven)
  }

  /// What the answer to a HEAD comes to.
  private func verdict(
    on head: HTTPResponseHead, _ path: BlobPath, _ client: () -> ClientFields
  ) -> Verdict {
    experience.noteAnswer(status: head.status)
    do throws(Unproven) {
      return .final(.success(try judge(head, path)))
    } catch {
      let client = client()
      return isWorthAnotherTry(error, client)
        ? .again(error) : .final(.failure(explained(error, by: head, client)))
    }
  }

  /// What the answer to the GET behind it comes to.
  private func verdict(
    on second: HTTPResponseHead, after refusal: Unproven, _ path: BlobPath,
    _ client: () -> ClientFields
  ) -> Result<BlobProof, Unproven> {
    let proof = Result { () throws(Unproven) in try judge(second, path) }
    let client = client()
    if refusal == .status(401) {
      let isProof = (try? proof.get()) != nil
      experience.noteSecondTry(client, isProof: isProof, at: Moment.now().steady)
    }
    return proof.mapError { explained($0, by: second, client) }
  }

  /// The request that reads the whole blob.
  package func request(for path: BlobPath, from client: ClientFields) -> HTTPRequest {
    request(.get, path, for: client)
  }

  private func isWorthAnotherTry(_ answer: Unproven, _ client: ClientFields) -> Bool {
    guard check != .head, case .status(let status) = answer else { return false }
    return switch status {
    case 401: client.hasCredential && experience.mayTryGet(client, at: Moment.now().steady)
    case 403: client.hasCredential
    case 404: check == .get
    // It is the method that is refused, and nobody's credential.
    case 405: true
    default: false
    }
  }

  /// Tells a 401 that is due to the name by which bloblo asks from others.
  private func explained(
    _ refusal: Unproven, by head: HTTPResponseHead, _ client: ClientFields
  ) -> Unproven {
    guard refusal == .status(401), client.hasCredential, client.fields.first(named: "host") == nil,
      let host = client.host.map({ String(decoding: $0, as: UTF8.self).lowercased() }),
      let authority, host != authority,
      challenges(in: head).contains(where: { $0.names(authority) })
    else { return refusal }
    return .otherName
  }

  /// Host and port as `Host` has them.
  private var authority: String? { (try? HTTPURL(url))?.authority }

  private func ask(
    _ method: HTTPRequest.Method, _ path: BlobPath, for client: ClientFields,
    over http: inout HTTPClient
  ) throws(Unproven) -> HTTPResponseHead {
    let receiver = HeadReceiver()
    do {
      try http.stream(question(method, path, for: client), to: receiver)
    } catch {
      // A long body is not read to its end: the head says all.
      guard error.kind == .stopped else { throw Unproven(error) }
    }
    guard let head = receiver.head else { throw .unreachable("no response") }
    return head
  }

  /// Of a GET one byte is enough.
  private func question(
    _ method: HTTPRequest.Method, _ path: BlobPath, for client: ClientFields
  ) -> HTTPRequest {
    var request = request(method, path, for: client)
    if method == .get { request.fields.append(HTTPField("Range", "bytes=0-0")) }
    return request
  }

  private func request(_ method: HTTPRequest.Method, _ path: BlobPath, for client: ClientFields)
    -> HTTPRequest
  {
    HTTPRequest(
      method, String(decoding: path.bytes(behind: url), as: UTF8.self), fields: client.fields,
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

extension Unproven {
  fileprivate init(_ error: TransportError) {
    switch error.kind {
    // What was never sent says nothing of the registry.
    case .line, .stopped, .invalid: self = .unasked(error.message)
    case .connect: self = .unconnected(error.message)
    case .timeout, .broken: self = .unreachable(error.message)
    }
  }
}
