import HTTPTransport
import Offload
import Primitives
import Registry
import S3

/// The registry as bloblo asks it.
struct UpstreamCheck {
  private let location: LocationSettings
  private let store: S3BlobStore
  private let path: BlobPath?
  private let client: ClientFields

  /// - Parameter authorization: a client's, if there is one to try with.
  init(
    _ location: LocationSettings, _ store: S3BlobStore, _ path: BlobPath?, authorization: String?
  ) {
    self.location = location
    self.store = store
    self.path = path
    client = ClientFields(authorization.map { [HTTPField("Authorization", $0)] } ?? [])
  }

  func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard ping(&report, &http), let path else { return }
    head(path, &report, &http)
    prove(path, &report, &http)
    presence(path, &report, &http)
  }

  private var upstream: UpstreamRegistry { location.upstream }

  private func ping(_ report: inout CheckReport, _ http: inout HTTPClient) -> Bool {
    let request = HTTPRequest(
      .get, "\(upstream.url)/v2/", fields: client.fields, limits: upstream.limits)
    let response: HTTPResponse
    do {
      response = try http.send(request, bodyLimit: 1 << 20)
    } catch {
      report.fail(
        "upstream", "\(upstream.url): \(error)",
        "BLOBLO_UPSTREAM_URL, name service, firewall; BLOBLO_UPSTREAM_CA_FILE for a private authority"
      )
      return false
    }
    let head = response.head
    let challenge = head.fields.first(named: "www-authenticate")?.text
    switch head.status {
    case 200 where !head.isPage:
      report.ok("upstream", "\(upstream.url)/v2/ answers 200")
    case 401 where challenge != nil:
      report.ok("upstream", "\(upstream.url)/v2/ answers 401: \(challenge?.prefix(100) ?? "")")
    case 301, 302, 307, 308:
      report.warn(
        "upstream",
        "\(upstream.url)/v2/ redirects to \(hostName(head.fields.first(named: "location")?.text ?? ""))",
        "BLOBLO_UPSTREAM_URL is the registry itself: https instead of http? BLOBLO_PRESERVE_HOST=true?"
      )
    default:
      report.fail(
        "upstream",
        "\(upstream.url)/v2/ answers \(head.status)\(head.isPage ? " with a page" : "")",
        "this is no registry: BLOBLO_UPSTREAM_URL, BLOBLO_PRESERVE_HOST")
    }
    return true
  }

  /// What registries differ in.
  private func head(
    _ path: BlobPath, _ report: inout CheckReport, _ http: inout HTTPClient
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
        client.hasCredential
          ? "may this credential read this blob? BLOBLO_UPSTREAM_CHECK=get for registries that refuse HEAD"
          : "set BLOBLO_CHECK_AUTHORIZATION to a client's Authorization to see more")
    }
  }

  private func prove(
    _ path: BlobPath, _ report: inout CheckReport, _ http: inout HTTPClient
  ) {
    do {
      let proof = try upstream.prove(path, for: client, by: &http)
      report.ok(
        "upstream.proof",
        "this client may read \(path.digest)\(proof.size == nil ? ", of a size that upstream does not say" : "")"
      )
    } catch {
      report.warn(
        "upstream.proof", "no proof: \(PassReason.unproven(error)) (\(error))",
        "the registry answers such requests itself. BLOBLO_UPSTREAM_REDIRECT=any for a registry whose own "
          + "redirects don't name the digest; BLOBLO_CHECK_AUTHORIZATION for a credential")
    }
  }

  private func presence(
    _ path: BlobPath, _ report: inout CheckReport, _ http: inout HTTPClient
  ) {
    do {
      guard let blob = try store.find(path.digest, by: &http, now: .now()) else {
        return report.warn(
          "bucket.blob", "\(path.digest) is not in the bucket",
          "the next GET brings it there, unless BLOBLO_FILL=off")
      }
      report.ok("bucket.blob", "\(path.digest) is there, \(blob.size) bytes")
    } catch {
      report.fail("bucket.blob", "\(error)", "see bucket.head above")
    }
  }
}
