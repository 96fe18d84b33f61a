internal import HTTPTransport
internal import Registry

/// Whether a registry's redirect says anything of who may read: a login redirects everybody.
struct LoginCheck {
  /// Of nobody's account, so that none is locked.
  private static let wrongCredential = "Basic YmxvYmxvLWNoZWNrOndyb25nLXBhc3N3b3Jk"

  let upstream: UpstreamRegistry
  let path: BlobPath

  /// What a credential that is wrong gets, where it is a redirect.
  ///
  /// - Returns: `true` when it is redirected as a right one; `nil` when the registry does not answer.
  func isEverybodyRedirected(_ http: inout HTTPClient) -> Bool? {
    let client = ClientFields([HTTPField("Authorization", Self.wrongCredential)])
    var request = upstream.request(for: path, from: client)
    request.method = .head
    return (try? http.head(of: request)).map { 300..<400 ~= $0.status }
  }

  /// Looks where `BLOBLO_UPSTREAM_REDIRECT=any` is set, and a redirect proves.
  func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard upstream.redirect == .any, isEverybodyRedirected(&http) == true else { return }
    report.fail(
      "upstream.login",
      "a wrong credential is redirected too, and a redirect proves: everybody gets blobs",
      advice:
        "unset BLOBLO_UPSTREAM_REDIRECT; is BLOBLO_UPSTREAM_URL the registry itself, and not a login before it?"
    )
  }

  /// What to do about a redirect that proves nothing.
  func advice(_ http: inout HTTPClient) -> String {
    switch isEverybodyRedirected(&http) {
    case true:
      "a wrong credential is redirected too: this is a login, or a registry that lets everybody read; "
        + "BLOBLO_UPSTREAM_REDIRECT=any would give blobs to everybody"
    case false:
      "BLOBLO_UPSTREAM_FOLLOW names the host that the registry keeps its blobs on; or BLOBLO_UPSTREAM_REDIRECT=any, "
        + "since a wrong credential is not redirected"
    case nil: "the registry answers such requests itself"
    }
  }
}
