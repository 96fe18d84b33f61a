package import FastCGI
internal import Gateway
internal import Primitives
internal import Settings
internal import Telemetry

/// The pages for operators, below `/bloblo/`.
///
/// bloblo answers only where the web server sets the param `BLOBLO_PAGES`, in a location for this machine only. A
/// client can't set one.
package struct Pages: Route {
  package let operation: Operation

  package init(
    operation: Operation
  ) {
    self.operation = operation
  }

  /// What the pages draw is measured every few seconds.
  package func tick() { operation.takeHistory(at: .now()) }

  /// Answers a request for a page.
  ///
  /// - Returns: `false` when the request is for something else; then nothing is answered.
  package func answer(_ request: Request) -> Bool {
    // A CGI process has only its environment, which no web server vouches for.
    guard !request.isOfOwnProcess, request.withParameter("BLOBLO_PAGES", { $0.isOn }) ?? false,
      let method = request.parameter("REQUEST_METHOD"),
      let target = request.parameter("REQUEST_URI"),
      let page = page(target.prefix { $0 != UInt8(ascii: "?") })
    else { return false }
    switch String(decoding: method, as: UTF8.self) {
    case "GET": request.answer(page.head, body: page.body)
    case "HEAD": request.answer(page.head)
    default: request.answer(notAllowed())
    }
    return true
  }

  private func page(_ path: ArraySlice<UInt8>) -> Page? {
    let now = UnixTime.now()
    switch String(decoding: path, as: UTF8.self) {
    case "/bloblo/health": return Page(200, .plain, text: "ok\n")
    case "/bloblo/ready": return ready()
    case "/bloblo/metrics":
      var page = MetricsPage(operation, now: now)
      return Page(200, .metrics, text: page.render())
    case "/bloblo/", "/bloblo":
      operation.takeHistory(at: now)
      return Page(200, .html, text: StatusPage(operation, now: now).render())
    case let path where path.hasPrefix("/bloblo/"): return Page(404, .plain, text: "no such page\n")
    default: return nil
    }
  }

  private func ready() -> Page {
    let reasons = operation.health.reasonsNotReady
    if reasons.isEmpty { return Page(200, .plain, text: "ready\n") }
    return Page(503, .plain, text: "not ready\n" + reasons.map { $0 + "\n" }.joined())
  }

  private func notAllowed() -> ResponseHead {
    var head = ResponseHead(status: 405, capacity: 64)
    head.add("Allow", "GET, HEAD")
    head.add("Content-Length", "0")
    return head
  }
}

private struct Page {
  enum Kind: String {
    case plain = "text/plain; charset=utf-8"
    case metrics = "text/plain; version=0.0.4; charset=utf-8"
    case html = "text/html; charset=utf-8"
  }

  let status: Int
  let kind: Kind
  let body: [UInt8]

  init(_ status: Int, _ kind: Kind, text: String) {
    self.status = status
    self.kind = kind
    body = Array(text.utf8)
  }

  var head: ResponseHead {
    var head = ResponseHead(status: status, capacity: 512)
    head.add("Content-Type", kind.rawValue)
    head.add("Content-Length", String(body.count))
    head.add("Cache-Control", "no-store")
    head.add("X-Content-Type-Options", "nosniff")
    head.add("Referrer-Policy", "no-referrer")
    head.add("X-Bloblo", "page")
    if kind == .html { head.add("Content-Security-Policy", StatusPage.securityPolicy) }
    return head
  }
}

extension Span<UInt8> {
  fileprivate var isOn: Bool { count == 2 && begins(with: "on") }
}
