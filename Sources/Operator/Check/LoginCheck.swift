internal import HTTPTransport
internal import Registry

/// Whether a registry's redirect proves that a client may read. A login page redirects everybody.
struct LoginCheck {
  /// Of no real account, so that none gets locked.
  private static let wrongCredential = HTTPField(
    "Authorization", "Basic YmxvYmxvLWNoZWNrOndyb25nLXBhc3N3b3Jk")

  let upstream: UpstreamRegistry
  let path: BlobPath

  /// The registry's answers without a credential and with a wrong one.
  private struct Answers {
    var toNobody: HTTPResponseHead?
    var toWrongCredential: HTTPResponseHead?

    var redirects: [HTTPResponseHead] {
      [toNobody, toWrongCredential].compactMap(\.self).filter { 300..<400 ~= $0.status }
    }

    /// In words, which of them are redirects.
    var redirected: String {
      toWrongCredential.map { 300..<400 ~= $0.status } == true
        ? "the registry redirects a wrong credential too"
        : "the registry redirects clients without a credential too"
    }
  }

  private func ask(_ http: inout HTTPClient) -> Answers {
    func head(_ fields: [HTTPField]) -> HTTPResponseHead? {
      var request = upstream.request(for: path, from: ClientFields(fields))
      request.method = .head
      return try? http.head(of: request)
    }
    return Answers(toNobody: head([]), toWrongCredential: head([Self.wrongCredential]))
  }

  /// Checks a registry whose redirect counts as a proof.
  func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard upstream.redirect != .never else { return }
    let answers = ask(&http)
    let proving = answers.redirects.filter { isProof($0, by: upstream) }
    guard !proving.isEmpty else { return }
    let byTheRule = UpstreamRegistry(
      url: upstream.url, redirect: .digest, namedHosts: upstream.namedHosts)
    if proving.contains(where: { !isProof($0, by: byTheRule) }) {
      report.fail(
        "upstream.login",
        "\(answers.redirected), and its redirect counts as a proof: everybody gets blobs",
        advice:
          "unset BLOBLO_UPSTREAM_REDIRECT; is BLOBLO_UPSTREAM_URL the registry itself, and not a login page in front of it?"
      )
      return
    }
    // The redirect leads to this blob's storage: that is right where everybody may read it.
    guard !isOpen(&http) else { return }
    if answers.toWrongCredential.map({ isProof($0, by: upstream) }) == true {
      report.fail(
        "upstream.login",
        "the registry wants a credential, but redirects a wrong one to the blob, and that redirect counts as a proof",
        advice:
          "is BLOBLO_UPSTREAM_URL the registry itself, and not a login page in front of it? BLOBLO_UPSTREAM_REDIRECT=never"
      )
    } else {
      report.warn(
        "upstream.login", "the registry redirects to this blob without a credential",
        advice: "right where everybody may read \(path.name); else ask the registry's administrator"
      )
    }
  }

  /// The advice about a redirect that proves nothing.
  func advice(_ http: inout HTTPClient) -> String {
    let answers = ask(&http)
    guard answers.redirects.isEmpty else {
      return
        "\(answers.redirected): this is a login, or a registry that lets everybody read; "
        + "BLOBLO_UPSTREAM_REDIRECT=any would give blobs to everybody"
    }
    guard answers.toNobody != nil, answers.toWrongCredential != nil else {
      return "the registry answers such requests itself"
    }
    return
      "BLOBLO_UPSTREAM_FOLLOW names the host that the registry keeps its blobs on; or BLOBLO_UPSTREAM_REDIRECT=any, "
      + "since a wrong credential is not redirected"
  }

  private func isProof(_ head: HTTPResponseHead, by upstream: UpstreamRegistry) -> Bool {
    300..<400 ~= head.status && (try? upstream.judge(head, path)) != nil
  }

  private func isOpen(_ http: inout HTTPClient) -> Bool {
    let ping = HTTPRequest(.get, "\(upstream.url)/v2/", limits: upstream.limits)
    return (try? http.head(of: ping))?.status == 200
  }
}
