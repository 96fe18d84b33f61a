internal import FastCGI
internal import HTTPTransport
internal import Offload
internal import Registry
internal import Settings

/// Sends a client the registry's answer, where no web server can hand the request on.
struct Relay {
  let upstream: UpstreamRegistry
  let isHostPreserved: Bool

  init(_ location: Location) {
    upstream = location.settings.upstream
    isHostPreserved = location.settings.isHostPreserved
  }

  /// - Parameters:
  ///   - isSiteBelieved: whether the web server may say who the user is.
  ///   - onOutcome: called once, before the client gets anything.
  func answer(
    _ request: Request, by http: inout HTTPClient, isSiteBelieved: Bool = true,
    onOutcome: @escaping @Sendable (BlobDeletion.Outcome) -> Void = { _ in }
  ) {
    if request.isLoop {
      return request.refuse(508, "the registry's address leads back to bloblo: BLOBLO_UPSTREAM_URL")
    }
    guard
      let relayed = HTTPRequest(
        relaying: request, to: upstream, isHostPreserved: isHostPreserved,
        isSiteBelieved: isSiteBelieved)
    else {
      return request.refuse(
        501, "bloblo relays GET, HEAD and DELETE; route the rest to the registry")
    }
    let receiver = RelayReceiver(request, onHead: { onOutcome(.answered($0.status)) })
    do {
      try http.stream(relayed, to: receiver)
      request.finish()
      // libcurl would take bytes after an answer without a body for the answer to the next request.
      if relayed.method == .head || receiver.isBodiless { http = HTTPClient() }
    } catch {
      guard !receiver.hasBegun else { return request.abort() }
      onOutcome([.connect, .invalid].contains(error.kind) ? .unsent : .unknown)
      request.refuse(error.kind == .timeout ? 504 : 502, "the registry does not answer")
    }
  }
}

/// Sends a response on as it comes.
private final class RelayReceiver: HTTPReceiver {
  private let request: Request
  private let onHead: (HTTPResponseHead) -> Void
  private(set) var hasBegun = false
  /// Whether this status has no body. Source: RFC 9110 §6.4.1.
  private(set) var isBodiless = false

  init(_ request: Request, onHead: @escaping (HTTPResponseHead) -> Void) {
    self.request = request
    self.onHead = onHead
  }

  func receive(head: HTTPResponseHead) -> Bool {
    hasBegun = true
    isBodiless = head.status == 204 || head.status == 304
    onHead(head)
    var answer = ResponseHead(status: head.status, capacity: 1024)
    let connection = (head.fields.first(named: "connection")?.value ?? []).tokens
    for field in head.fields {
      let name = field.name.lowercased()
      guard name == "content-length" || !isHopByHop(name), !connection.contains(name),
        !isForWebServers(name)
      else { continue }
      answer.add(name: field.name, field.value)
    }
    answer.add("X-Bloblo", "pass")
    request.begin(answer)
    return true
  }

  func receive(body: Span<UInt8>) -> Bool { request.write(body) }
}

/// Fields that a web server would obey if they came from bloblo.
private func isForWebServers(_ lowercased: String) -> Bool {
  lowercased == "status" || lowercased.hasPrefix("x-accel-") || lowercased.hasPrefix("x-bloblo")
    || lowercased.hasPrefix("x-sendfile") || lowercased == "x-lighttpd-send-file"
}

extension Request {
  /// Answers with an error, as a registry does.
  ///
  /// Source: OCI distribution-spec, "Error Codes".
  package func refuse(_ status: Int, _ words: StaticString) {
    let body = Array(#"{"errors":[{"code":"UNAVAILABLE","message":"\#(words)"}]}"#.utf8)
    var head = ResponseHead(status: status, capacity: 128)
    head.add("Content-Type", "application/json")
    head.add("Content-Length", String(body.count))
    head.add("X-Bloblo", "pass")
    answer(head, body: body)
  }
}
