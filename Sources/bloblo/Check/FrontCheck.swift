import FoundationEssentials
import HTTPTransport
import Primitives
import Registry

/// The web server, asked as a client asks it.
struct FrontCheck {
  private let url: String
  private let path: BlobPath?
  private let authorization: String?

  init(_ url: String, _ path: BlobPath?, authorization: String?) {
    self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
    self.path = path
    self.authorization = authorization
  }

  func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    params(&report, &http)
    blob(&report, &http)
  }

  /// What the page on `/bloblo/check` says that it was given.
  private func params(_ report: inout CheckReport, _ http: inout HTTPClient) {
    let target = "/bloblo/check?probe=a%3Ab%2Fc"
    let request = HTTPRequest(
      .get, url + target, fields: [HTTPField("Authorization", "Bearer bloblo-check")])
    let response: HTTPResponse
    do {
      response = try http.send(request, bodyLimit: 1 << 20)
    } catch {
      return report.fail(
        "front", "\(url): \(error)", "is the web server up, and is this its address?")
    }
    guard response.head.status == 200,
      let seen = try? JSONDecoder().decode(SeenParams.self, from: Data(response.body))
    else {
      return report.warn(
        "front.params", "\(url)/bloblo/check answers \(response.head.status)",
        "route /bloblo/ to bloblo, for loopback only, as the shipped configuration does, and run this there"
      )
    }
    report.ok(
      "front", "\(seen.software ?? "a web server") hands requests to bloblo \(seen.version)")
    if seen.authorization {
      report.ok("front.authorization", "a client's Authorization arrives")
    } else {
      report.fail(
        "front.authorization",
        "a client's Authorization does not arrive: no private blob can be proven",
        "Apache: CGIPassAuth On in the location. nginx: no fastcgi_param HTTP_AUTHORIZATION \"\"")
    }
    if seen.requestURI == target {
      report.ok("front.uri", "REQUEST_URI is as the client sent it")
    } else {
      report.fail(
        "front.uri", "REQUEST_URI: want \(target), got \(seen.requestURI ?? "none")",
        "nginx: fastcgi_param REQUEST_URI $request_uri. Apache: AllowEncodedSlashes NoDecode, nocanon"
      )
    }
    if seen.host == nil {
      report.warn("front.host", "no Host arrives", "fastcgi_param HTTP_HOST $http_host")
    }
  }

  private func blob(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard let path else { return }
    var request = HTTPRequest(
      .get, "\(url)/v2/\(path.name)/blobs/\(path.digest)",
      fields: [HTTPField("Range", "bytes=0-0")])
    if let authorization { request.fields.append(HTTPField("Authorization", authorization)) }
    let head: HTTPResponseHead
    let receiver = HeadOnly()
    do {
      try http.stream(request, to: receiver)
    } catch {
      guard error.kind == .stopped else {
        return report.fail(
          "front.blob", "\(error)",
          "a broken answer may be a header larger than the web server's buffer: its error log says so"
        )
      }
    }
    guard let got = receiver.head else { return }
    head = got
    guard let decision = head.fields.first(named: "x-bloblo")?.text else {
      return report.warn(
        "front.blob", "status \(head.status), and no X-Bloblo: the registry answered",
        "bloblo passed (see upstream.proof), or was not asked, or does not run: its log at debug tells why"
      )
    }
    switch head.status {
    case 502:
      report.fail(
        "front.blob", "status 502",
        "header buffers too small? fastcgi_buffer_size 64k; the error log says")
    case 200, 206, 302, 307: report.ok("front.blob", "\(decision), status \(head.status)")
    default: report.warn("front.blob", "\(decision), status \(head.status)", "see upstream.proof")
    }
    if (300..<400).contains(head.status), head.fields.first(named: "docker-content-digest") == nil {
      report.warn(
        "front.digest", "Docker-Content-Digest is dropped on its way",
        "see the shipped configuration")
    }
  }
}

/// Wants no body.
private final class HeadOnly: HTTPReceiver {
  private(set) var head: HTTPResponseHead?

  func receive(head: HTTPResponseHead) -> Bool {
    self.head = head
    return false
  }

  func receive(body: Span<UInt8>) -> Bool { false }
}
