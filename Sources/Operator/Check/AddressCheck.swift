package import HTTPTransport
package import Registry
package import Settings

/// Whether the registry decides by the client's address. A difference shows that it does; no difference shows
/// nothing.
package struct AddressCheck {
  /// The loopback, a private network, an address for documentation (RFC 5737), and none, for which the registry sees
  /// this machine's address.
  private static let addresses = ["127.0.0.1", "10.0.0.1", "192.0.2.1", nil]

  package let upstream: UpstreamRegistry
  package let identity: ProofIdentity
  /// The blob that is asked for; without one, a ping.
  package let path: BlobPath?
  package let client: ClientFields

  package init(
    upstream: UpstreamRegistry,
    identity: ProofIdentity,
    path: BlobPath?,
    client: ClientFields
  ) {
    self.upstream = upstream
    self.identity = identity
    self.path = path
    self.client = client
  }

  package func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    var answers: [(address: String, status: Int)] = []
    for address in Self.addresses {
      guard let status = status(from: address, &http) else { return }
      answers.append((address ?? "none that is named", status))
    }
    let isSame = answers.allSatisfy { $0.status == answers[0].status }
    guard !isSame else {
      if identity == .credential {
        report.ok(
          "upstream.address", "it answers \(answers[0].status) to any address that was tried")
      }
      return
    }
    let words = answers.map { "\($0.status) to \($0.address)" }.joined(separator: ", ")
    report.warn(
      "upstream.address", "the registry decides by the client's address: \(words)",
      advice: identity == .credential
        ? "BLOBLO_PROOF_IDENTITY=request: what one address has proved serves others now"
        : "keep BLOBLO_PROOF_IDENTITY=request, and let the web server say whose address it is")
  }

  private func status(from address: String?, _ http: inout HTTPClient) -> Int? {
    let said = address.map { [HTTPField("X-Forwarded-For", $0), HTTPField("X-Real-IP", $0)] }
    let fields = client.fields + (said ?? [])
    var request =
      path.map { upstream.request(for: $0, from: ClientFields(fields)) }
      ?? HTTPRequest(.get, "\(upstream.url)/v2/", fields: fields, limits: upstream.limits)
    if path != nil { request.method = .head }
    return try? http.head(of: request).status
  }
}
