internal import Gateway
package import HTTPTransport
internal import Offload
internal import Primitives
package import Registry
internal import S3
package import Settings
package import Store
internal import Telemetry

/// Asks the registry as bloblo does.
package struct UpstreamCheck {
  private let location: LocationSettings
  private let store: S3BlobStore
  private let path: BlobPath?
  private let client: ClientFields
  private let front: String?
  private let spool: Int64

  /// - Parameters:
  ///   - authorization: a client's, if there is one to try with.
  ///   - front: the web server's URL, if it is known.
  ///   - spool: the bytes that spools may have.
  package init(
    _ location: LocationSettings, store: S3BlobStore, path: BlobPath?, authorization: String?,
    front: String? = nil, spool: Int64
  ) {
    self.location = location
    self.store = store
    self.path = path
    self.front = front
    self.spool = spool
    client = ClientFields(authorization.map { [HTTPField("Authorization", $0)] } ?? [])
  }

  /// - Returns: whether this client would be redirected to the blob: it may read it, and the bucket has it.
  package func run(_ report: inout CheckReport, _ http: inout HTTPClient) -> Bool {
    guard ping(&report, &http) else { return false }
    loop(&report, &http)
    guard let path else { return false }
    head(path, report: &report, over: &http)
    let proof = prove(path, report: &report, over: &http)
    let fill = FillCheck(location: location, path: path, client: client)
    let obstacle = fill.run(proof, spool: spool, report: &report, over: &http)
    return presence(path, obstacle: obstacle, report: &report, over: &http) && proof != nil
  }

  private var upstream: UpstreamRegistry { location.upstream }
  private var isDefault: Bool { upstream.url == Declared.upstreamURL.facts.defaultText }

  private func ping(_ report: inout CheckReport, _ http: inout HTTPClient) -> Bool {
    let request = HTTPRequest(
      .get, "\(upstream.url)/v2/", fields: client.fields, limits: upstream.limits)
    let response: HTTPResponse
    do {
      response = try http.send(request, bodyLimit: 1 << 20)
    } catch {
      report.fail(
        "upstream", "\(upstream.url): \(error)",
        advice: isDefault
          ? "set BLOBLO_UPSTREAM_URL to the registry's address: it is not set, and this is its default"
          : "BLOBLO_UPSTREAM_URL (http or https?), name service, firewall; BLOBLO_UPSTREAM_CA_FILE for a private authority"
      )
      return false
    }
    let head = response.head
    let challenge = head.fields.first(named: "www-authenticate")?.text
    switch head.status {
    case 200 where !head.isHTML:
      report.ok(
        "upstream",
        client.hasCredential
          ? "\(upstream.url)/v2/ answers 200"
          : "\(upstream.url)/v2/ answers 200 to everybody: \(Notice.openRegistryAdvice)")
    case 401 where challenge != nil && client.hasCredential && path == nil:
      report.fail(
        "upstream", "the registry refuses this credential (401)",
        advice: "is the password right? A token may be for one repository only: name one by --blob")
    case 401 where challenge != nil:
      report.ok("upstream", "\(upstream.url)/v2/ answers 401: \(challenge?.prefix(100) ?? "")")
    case 301, 302, 307, 308:
      report.fail(
        "upstream",
        "\(upstream.url)/v2/ redirects to \(hostName(head.fields.first(named: "location")?.text ?? ""))",
        advice:
          "BLOBLO_UPSTREAM_URL is the registry itself: https instead of http? BLOBLO_PRESERVE_HOST=true?"
      )
    default:
      report.fail(
        "upstream",
        "\(upstream.url)/v2/ answers \(head.status)\(head.isHTML ? " with a page" : "")",
        advice: upstream.url.hasSuffix("/v2")
          ? "BLOBLO_UPSTREAM_URL ends before /v2: bloblo adds it"
          : "is BLOBLO_UPSTREAM_URL the registry's own address? One that answers by the client's Host needs BLOBLO_PRESERVE_HOST=true"
      )
    }
    return true
  }

  /// Whether the registry's address leads to the web server that asks bloblo.
  private func loop(_ report: inout CheckReport, _ http: inout HTTPClient) {
    let target = upstream.url + CheckPage.blobPrefix + "params"
    let answer = try? http.head(of: HTTPRequest(.get, target, limits: upstream.limits))
    let isOurs = answer?.fields.first(named: "x-bloblo")?.text == "check"
    let isFront = front.map { Self.isSameOrigin($0, upstream.url) } ?? false
    guard isOurs || isFront else { return }
    guard isOurs else {
      report.fail(
        "upstream.loop", "--front and BLOBLO_UPSTREAM_URL name one server, \(upstream.url)",
        advice:
          "--front is the web server as clients know it; BLOBLO_UPSTREAM_URL is the registry's own address, the one in the web server's file"
      )
      return
    }
    report.fail(
      "upstream.loop", "\(upstream.url) is the web server that asks bloblo, not the registry",
      advice:
        "set BLOBLO_UPSTREAM_URL to the registry's own address, the one in the web server's file")
  }

  private static func isSameOrigin(_ a: String, _ b: String) -> Bool {
    func origin(_ url: String) -> String? {
      guard let url = try? HTTPURL(url) else { return nil }
      return "\(url.host == "localhost" ? "127.0.0.1" : url.host):\(url.port)"
    }
    return origin(a) != nil && origin(a) == origin(b)
  }

  /// Reports how this registry answers HEAD.
  private func head(
    _ path: BlobPath, report: inout CheckReport, over http: inout HTTPClient
  ) {
    var request = upstream.request(for: path, from: client)
    request.method = .head
    guard let head = try? http.send(request, bodyLimit: 0).head else { return }
    switch head.status {
    case 200:
      let size = head.contentLength.map { "\($0) bytes" } ?? "no Content-Length"
      report.ok("upstream.head", "200, \(size)")
    case 300..<400:
      let host = hostName(head.fields.first(named: "location")?.text ?? "")
      report.ok("upstream.redirect", "it redirects blobs to \(host) itself (\(head.status))")
    default:
      report.warn(
        "upstream.head", "HEAD is answered with \(head.status)",
        advice: client.hasCredential
          ? "see upstream.proof; BLOBLO_UPSTREAM_CHECK=get for registries that refuse HEAD"
          : "--user NAME, or `docker login`, to see more")
    }
  }

  /// - Returns: the proof; `nil` when there is none.
  private func prove(
    _ path: BlobPath, report: inout CheckReport, over http: inout HTTPClient
  ) -> BlobProof? {
    defer { LoginCheck(upstream: upstream, path: path).run(&report, &http) }
    do {
      let proof = try upstream.prove(path, for: client, by: &http)
      report.ok(
        "upstream.proof",
        "this client may read \(path.digest)\(proof.size == nil ? ", whose size the registry does not state" : "")"
      )
      return proof
    } catch {
      tell(error, of: path, report: &report, over: &http)
      return nil
    }
  }

  private func tell(
    _ error: Unproven, of path: BlobPath, report: inout CheckReport, over http: inout HTTPClient
  ) {
    switch error {
    case .status(404):
      report.fail(
        "upstream.proof", "the registry has no such blob in this repository (404)",
        advice: client.hasCredential
          ? "name a blob that \(path.name) has: --blob NAME@DIGEST"
          : "name a blob that \(path.name) has, or a user that may see it: --blob NAME@DIGEST --user NAME"
      )
    case .status(let status) where [401, 403].contains(status) && client.hasCredential:
      report.fail(
        "upstream.proof", "the registry refuses this credential (\(status))",
        advice: "is the password right, and may this user read \(path.name)?")
    case .status(let status) where [401, 403].contains(status):
      report.warn(
        "upstream.proof", "the registry wants a credential (\(status))",
        advice: "--user NAME, or `docker login`, to see what a client gets")
    default:
      report.fail(
        "upstream.proof",
        "no proof, so nothing is offloaded: \(PassReason.unproven(error)) (\(error.words))",
        advice: error == .redirectElsewhere
          ? LoginCheck(upstream: upstream, path: path).advice(&http)
          : "the registry answers such requests itself")
    }
  }

  /// - Parameter obstacle: what keeps a fill from bringing the blob there.
  private func presence(
    _ path: BlobPath, obstacle: FillCheck.Obstacle?, report: inout CheckReport,
    over http: inout HTTPClient
  ) -> Bool {
    do {
      guard let blob = try store.find(path.digest, by: &http, now: .now()) else {
        if let obstacle {
          report.warn(
            "bucket.blob",
            "\(path.digest) is not in the bucket, and a GET does not fill it: \(obstacle.words)",
            advice: obstacle.advice)
        } else {
          report.warn(
            "bucket.blob", "\(path.digest) is not in the bucket",
            advice: "the next GET of it fills it")
        }
        return false
      }
      report.ok("bucket.blob", "\(path.digest) is there, \(blob.size) bytes")
      return blob.size >= location.policy.minimumBlobSize
    } catch {
      report.fail("bucket.blob", "\(error)", advice: "see bucket.head above")
      return false
    }
  }
}

extension Unproven {
  /// What the registry did, in words for people.
  fileprivate var words: String {
    switch self {
    case .status(let status): "the registry answers \(status)"
    case .otherName:
      "the registry answers 401 with a challenge for the host name that bloblo uses: set BLOBLO_PRESERVE_HOST=true"
    case .page: "the registry answers with an HTML page: is a login page in front of it?"
    case .redirectElsewhere:
      "the registry's redirect does not prove that the client may read the blob"
    case .otherDigest: "the registry names another digest"
    case .unconnected(let words), .unreachable(let words):
      "the registry does not answer: \(words)"
    case .unasked(let words): "the registry was not asked: \(words)"
    }
  }
}
