internal import HTTPTransport
internal import Registry

/// Whether a registry's redirect says anything of who may read: a login redirects everybody.
struct LoginCheck {
  /// Of nobody's account, so that none is locked.
  private static let wrongCredential = HTTPField(
    "Authorization", "Basic YmxvYmxvLWNoZWNrOndyb25nLXBhc3N3b3Jk")

  let upstream: UpstreamRegistry
  let path: BlobPath

  /// What the registry answers to somebody who may read nothing by a right of theirs.
  private struct Answers {
    var toNobody: HTTPResponseHead?
    var toWrongCredential: HTTPResponseHead?

    var redirects: [HTTPResponseHead] {
      [toNobody, toWrongCredential].compactMap(\.self).filter { 300..<400 ~= $0.status }
    }

    /// Who is redirected, in words.
    var redirected: String {
      toWrongCredential.map { 300..<400 ~= $0.status } == true
        ? "a wrong credential is redirected too" : "who has no credential is redirected too"
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

  /// Looks where a redirect proves.
  func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard upstream.redirect != .never else { return }
    let answers = ask(&http)
    let proving = answers.redirects.filter { isProof($0, by: upstream) }
    guard !proving.isEmpty else { return }
    let byTheRule = UpstreamRegistry(
      url: upstream.url, redirect: .digest, namedHosts: upstream.namedHosts)
    if proving.contains(where: { !isProof($0, by: byTheRule) }) {
      report.fail(
        "upstream.login", "\(answers.redirected), and a redirect proves: everybody gets blobs",
        advice:
          "unset BLOBLO_UPSTREAM_REDIRECT; is BLOBLO_UPSTREAM_URL the registry itself, and not a login before it?"
      )
      return
    }
    // To a storage of this blob: right where everybody may read it.
    guard !isOpen(&http) else { return }
    if answers.toWrongCredential.map({ isProof($0, by: upstream) }) == true {
      report.fail(
        "upstream.login",
        "the registry wants a credential, and redirects a wrong one to the blob: that redirect proves",
        advice:
          "is BLOBLO_UPSTREAM_URL the registry itself, and not a login before it? BLOBLO_UPSTREAM_REDIRECT=never"
      )
    } else {
      report.warn(
        "upstream.login", "the registry redirects to this blob without a credential",
        advice: "right where everybody may read \(path.name); else ask the registry's administrator"
      )
    }
  }

  /// What to do about a redirect that proves nothing.
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
