internal import HTTPTransport
internal import Registry

/// Sends a request that bloblo passes to the web server and to the registry itself: the answers must be the same.
/// Then sends requests that the web server must refuse: none may bring bytes or a URL.
struct FrontPassCheck {
  private let url: String
  private let limits: HTTPLimits
  private let path: BlobPath?
  private let authorization: String?
  private let registry: UpstreamRegistry

  /// - Parameters:
  ///   - url: of the web server, without a slash at its end.
  ///   - limits: of requests to the web server.
  ///   - path: a blob that there is, if one is known.
  ///   - authorization: of a client, if there is one to try with.
  ///   - registry: which the web server stands before.
  init(
    _ url: String, limits: HTTPLimits, path: BlobPath?, authorization: String?,
    before registry: UpstreamRegistry
  ) {
    self.url = url
    self.limits = limits
    self.path = path
    self.authorization = authorization
    self.registry = registry
  }

  func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    let isGuarded = [401, 403].contains(ping(url, limits: limits, over: &http) ?? 0)
    let isOpen = ping(registry.url, limits: registry.limits, over: &http) == 200
    if isGuarded { guards(isOpen: isOpen, &report, &http) }
    if isGuarded, isOpen, authorization == nil {
      return report.warn(
        "front.pass",
        "the web server guards the registry, so `check` can't see a pass without a credential",
        advice: "--user NAME: a user that the web server lets in")
    }
    pass(&report, &http)
  }

  /// The status that a client without a credential gets; `nil` without an answer.
  private func ping(_ url: String, limits: HTTPLimits, over http: inout HTTPClient) -> Int? {
    try? http.head(of: HTTPRequest(.get, url + "/v2/", limits: limits)).status
  }

  // MARK: the pass

  /// A digest that no registry has.
  private var missing: String {
    let digits = (0..<64).map { _ in String(UInt8.random(in: 0..<16), radix: 16) }.joined()
    return "/v2/\(path.map { "\($0.name)" } ?? "bloblo/check")/blobs/sha256:\(digits)"
  }

  private func pass(_ report: inout CheckReport, _ http: inout HTTPClient) {
    let target = missing
    var fields = authorization.map { [HTTPField("Authorization", $0)] } ?? []
    let front: HTTPResponseHead
    let own: HTTPResponseHead
    do throws(TransportError) {
      front = try http.head(of: HTTPRequest(.get, url + target, fields: fields, limits: limits))
    } catch {
      return report.fail(
        "front.pass", "a request for an absent blob gets no answer: \(error)",
        advice: "the web server's error log says more")
    }
    // These fields as the web server sends them: registries build their challenges from them.
    fields.append(HTTPField("Host", (try? HTTPURL(url))?.authority ?? ""))
    fields.append(HTTPField("X-Forwarded-Proto", url.hasPrefix("https:") ? "https" : "http"))
    do throws(TransportError) {
      own = try http.head(
        of: HTTPRequest(.get, registry.url + target, fields: fields, limits: registry.limits))
    } catch {
      return report.fail(
        "front.pass", "the registry does not answer: \(error)", advice: "see upstream above")
    }
    compare(front, to: own, report: &report)
  }

  private func compare(
    _ front: HTTPResponseHead, to own: HTTPResponseHead, report: inout CheckReport
  ) {
    let version = "docker-distribution-api-version"
    if front.status != own.status {
      return report.fail(
        "front.pass",
        "an absent blob: the web server answers \(front.status), the registry itself \(own.status)",
        advice: advice(on: front.status))
    }
    let (seen, want) = (
      front.fields.first(named: HTTPField.Name(version))?.text,
      own.fields.first(named: HTTPField.Name(version))?.text
    )
    if seen != want {
      return report.fail(
        "front.pass",
        "an absent blob: Docker-Distribution-Api-Version: want \(want ?? "none") as the registry says, "
          + "got \(seen ?? "none")",
        advice:
          "the answer is not the registry's: is the address of the registry the same in the web server's file and in "
          + "BLOBLO_UPSTREAM_URL?")
    }
    let (challenge, wanted) = (self.challenge(of: front), self.challenge(of: own))
    if challenge?.scheme != wanted?.scheme {
      return report.fail(
        "front.pass",
        "an absent blob: WWW-Authenticate: want \(wanted?.scheme ?? "none") as the registry says, got "
          + "\(challenge?.scheme ?? "none")",
        advice: "clients can't log in: does the web server drop or add a WWW-Authenticate?")
    }
    if challenge?.parameters != wanted?.parameters {
      return report.warn(
        "front.pass", "the registry's challenge differs behind the web server",
        advice:
          "does the pass keep the client's Host and X-Forwarded-Proto? Clients ask for tokens where the challenge says"
      )
    }
    report.ok(
      "front.pass", "an absent blob gets the registry's own answer (\(front.status))")
  }

  private func challenge(of head: HTTPResponseHead) -> AuthChallenge? {
    head.fields.first(named: "www-authenticate").flatMap { AuthChallenge($0.text) }
  }

  private func advice(on status: Int) -> String {
    switch status {
    case 424:
      "bloblo's pass (424) reaches the client. Does the web server reach the registry by the address in its file? "
        + "And does its file map 424 to the registry, as the shipped ones do?"
    case 508:
      "the registry's address leads back to the web server: set the registry's own address there"
    case 502, 503, 504:
      "the web server does not reach the registry: is the registry's address in its file right, and http or https?"
    case 400:
      "the registry does not understand the web server: is http or https right in the registry's address in the web server's file?"
    case 404:
      "the web server asks somewhere else than BLOBLO_UPSTREAM_URL: is the registry below a path?"
    default: "compare the registry's address in the web server's file with BLOBLO_UPSTREAM_URL"
    }
  }

  // MARK: the guard

  private struct Attempt {
    let name: String
    let fields: [HTTPField]
  }

  /// The site refuses `GET /v2/` without a credential. So it must refuse blobs without one too, and with one that
  /// can't be read: that makes some guards fail, and a failing guard must not open a door.
  private func guards(
    isOpen: Bool, _ report: inout CheckReport, _ http: inout HTTPClient
  ) {
    let attempts = [
      Attempt(name: "without a credential", fields: []),
      Attempt(
        name: "with a credential that cannot be read (Basic %%%)",
        fields: [HTTPField("Authorization", "Basic %%%")]),
    ]
    for attempt in attempts {
      for target in [path.map { "/v2/\($0.name)/blobs/\($0.digest)" }, missing].compactMap({ $0 }) {
        guard let status = status(of: target, attempt, &http) else { continue }
        switch status {
        case 200..<400:
          return report.fail(
            "front.guard",
            "the site refuses /v2/, but gives out a blob \(attempt.name): status \(status)",
            advice: Self.advice)
        case 404 where isOpen:
          return report.fail(
            "front.guard",
            "the web server refuses /v2/, but hands a blob's request on to an open registry \(attempt.name)",
            advice: Self.advice)
        default: continue
        }
      }
    }
    report.ok(
      "front.guard",
      "\(path == nil ? "an absent blob" : "a blob") is refused without a credential, and with a malformed one"
    )
  }

  private static let advice =
    "whatever guards /v2/ must guard the blobs' location too, and its errors must not be taken for bloblo's: copy "
    + "the shipped files again, and see docs/fronts.md on who checks passwords"

  private func status(
    of target: String, _ attempt: Attempt, _ http: inout HTTPClient
  ) -> Int? {
    let fields = attempt.fields + [HTTPField("Range", "bytes=0-0")]
    return try? http.head(of: HTTPRequest(.get, url + target, fields: fields, limits: limits))
      .status
  }
}
