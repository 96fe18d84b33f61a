internal import FastCGI
internal import HTTPTransport
internal import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Telemetry

extension BlobHandler {
  /// Answers whether the client may read the blob, and nothing else: 200, 401 or 403.
  ///
  /// Without a proof the answer is 403, whatever the reason: doubt must not open a door here.
  func authorize(_ request: Request, _ location: Location) {
    let id = RequestID(request)
    let blob = request.isLoop ? nil : BlobRequest(toAuthorize: request, in: location, fingerprinter)
    @Sendable func deny(_ status: Int, challenges: [HTTPField] = []) {
      recorder.decided(.deny, RequestFacts(request: request, blob: blob, id: id))
      request.deny(status, challenges: challenges)
    }
    guard let blob else { return deny(403) }
    let upstream = location.settings.upstream
    func client() -> ClientFields { ClientFields(request, in: location, id) }
    var challenges: [HTTPField] = []
    func isWanted() -> Bool { !request.isGone }
    func hear(_ head: HTTPResponseHead) {
      challenges = head.fields.filter { $0.isNamed("WWW-Authenticate") }
    }
    upstream.prove(
      blob.path, for: client(), renewed: client, by: self.upstream, isWanted: isWanted, hear: hear
    ) { [self] answer in
      switch answer {
      case .success:
        recorder.decided(.authorize, RequestFacts(request: request, blob: blob, id: id))
        request.allow()
      case .failure(let error) where error.status == 401: deny(401, challenges: challenges)
      case .failure: deny(403)
      }
    }
  }
}

extension Request {
  /// FastCGI's own role; and, for nginx, which has no such role, a param that only the web server can set.
  var isForAuthorizer: Bool {
    role == .authorizer
      || withParameter("BLOBLO_ROLE") { $0.isEqual(to: "authorizer") } ?? false
  }

  /// Lets the request go on. Source: FastCGI 1.0 §6.3.
  fileprivate func allow() {
    var head = ResponseHead(status: 200, capacity: 64)
    head.add("Content-Length", "0")
    head.add("X-Bloblo", "authorize")
    answer(head)
  }

  fileprivate func deny(_ status: Int, challenges: [HTTPField] = []) {
    var head = ResponseHead(status: status, capacity: 256)
    for challenge in challenges { head.add("WWW-Authenticate", challenge.value) }
    head.add("Content-Length", "0")
    head.add("X-Bloblo", "deny")
    answer(head)
  }
}
