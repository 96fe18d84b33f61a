internal import FoundationEssentials
internal import Gateway
package import HTTPTransport
internal import Offload
internal import Primitives
package import Registry
package import Store

/// Asks the web server as a client does.
package struct FrontCheck {
  private let url: String
  private let path: BlobPath?
  private let authorization: String?
  private let registry: UpstreamRegistry
  private let longestURL: LongestURL?
  private let limits: HTTPLimits
  private let isRedirectExpected: Bool

  /// - Parameters:
  ///   - registry: which the web server stands before.
  ///   - longestURL: `nil` when none can be signed.
  ///   - caFile: instead of the system's.
  ///   - isRedirectExpected: whether bloblo has all that it needs to redirect this client to the blob.
  package init(
    _ url: String, _ path: BlobPath?, authorization: String?, before registry: UpstreamRegistry,
    longestURL: LongestURL?, caFile: String?, isRedirectExpected: Bool
  ) {
    self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
    self.registry = registry
    self.path = path
    self.authorization = authorization
    self.longestURL = longestURL
    limits = HTTPLimits(caFile: caFile)
    self.isRedirectExpected = isRedirectExpected
  }

  package func run(_ report: inout CheckReport, _ http: inout HTTPClient) {
    if params(&report, &http) {
      header(&report, &http)
    }
    FrontPassCheck(url, limits: limits, path: path, authorization: authorization, before: registry)
      .run(&report, &http)
    blob(&report, &http)
  }

  // MARK: params

  /// Where the answer came from.
  private enum Answer {
    case params(SeenParams)
    /// Something else answered, with this status.
    case other(Int)
  }

  /// - Returns: whether blobs' requests come to bloblo.
  private func params(_ report: inout CheckReport, _ http: inout HTTPClient) -> Bool {
    do throws(TransportError) {
      let target = CheckPage.blobPrefix + "params?probe=a%3Ab%2Fc"
      let status: Int
      switch try ask(target, &http) {
      case .params(let seen):
        tell(seen, target: target, &report)
        return true
      case .other(let other): status = other
      }
      let seen: SeenParams
      switch try ask(CheckPage.path, &http) {
      case .params(let found): seen = found
      case .other(let page) where authorization == nil && [status, page].allSatisfy(isRefusal):
        report.warn(
          "front.route",
          "the web server guards the whole site (status \(status)): `check` can't see what it hands to bloblo",
          advice: Self.letInAdvice)
        return false
      case .other:
        report.fail(
          "front.params",
          "bloblo answers neither a blob's path nor \(CheckPage.path) (status \(status))",
          advice:
            "is bloblo up, may the web server connect to its socket, and are the shipped files included? `check` can't see "
            + "this from another machine: run it on the web server's, with a loopback address"
        )
        return false
      }
      report.ok("front", words(seen))
      if isRefusal(status) {
        report.warn(
          "front.route",
          "the web server guards the blobs' location (status \(status)): `check` can't see what it hands to bloblo",
          advice: Self.letInAdvice)
        return false
      }
      report.fail(
        "front.route",
        "the web server sends bloblo \(CheckPage.path), but not a blob's path (status \(status))",
        advice:
          "does the site include bloblo-locations.conf (nginx) or bloblo.conf (Apache)? If so, another location takes the path: "
          + "nginx: a `location ^~ /v2/`, or a regex one above; Apache: a RewriteRule above the Include"
      )
    } catch {
      report.fail(
        "front", "\(url): \(error)",
        advice: "is the web server up, and is this its address? --ca-file for a private authority")
    }
    return false
  }

  private static let letInAdvice = "--user NAME: a user that the web server lets in"

  private func isRefusal(_ status: Int) -> Bool { status == 401 || status == 403 }

  private func ask(_ target: String, _ http: inout HTTPClient) throws(TransportError) -> Answer {
    var request = HTTPRequest(
      .get, url + target, fields: [HTTPField("Authorization", "Bearer bloblo-check")],
      limits: limits)
    var response = try http.send(request, bodyLimit: 1 << 20)
    // A web server that checks passwords needs a user that it lets in.
    if let authorization, isRefusal(response.head.status) {
      request.fields = [HTTPField("Authorization", authorization)]
      response = try http.send(request, bodyLimit: 1 << 20)
    }
    guard response.head.status == 200,
      let seen = try? JSONDecoder().decode(SeenParams.self, from: Data(response.body))
    else { return .other(response.head.status) }
    return .params(seen)
  }

  private func words(_ seen: SeenParams) -> String {
    "\(seen.software ?? "a web server") hands requests to bloblo \(seen.version)"
  }

  private func tell(_ seen: SeenParams, target: String, _ report: inout CheckReport) {
    let overrides =
      seen.overrides.isEmpty ? "" : "; it sets \(seen.overrides.joined(separator: ", "))"
    report.ok("front", words(seen) + overrides)
    if seen.authorization {
      report.ok("front.authorization", "a client's Authorization arrives")
    } else {
      report.fail(
        "front.authorization",
        "a client's Authorization does not arrive, so bloblo can prove no private blob",
        advice:
          "Apache: CGIPassAuth On in the location. nginx: no fastcgi_param HTTP_AUTHORIZATION \"\"")
    }
    if seen.requestURI == target {
      report.ok("front.uri", "REQUEST_URI is as the client sent it")
    } else {
      report.fail(
        "front.uri", "REQUEST_URI: want \(target), got \(seen.requestURI ?? "none")",
        advice:
          "nginx: fastcgi_param REQUEST_URI $request_uri. Apache: AllowEncodedSlashes NoDecode, nocanon"
      )
    }
    tellFiles(seen, &report)
    if seen.host == nil {
      report.warn("front.host", "no Host arrives", advice: "fastcgi_param HTTP_HOST $http_host")
    }
  }

  /// Older copies of the shipped files keep the holes that newer ones have closed.
  private func tellFiles(_ seen: SeenParams, _ report: inout CheckReport) {
    let software = seen.software ?? ""
    guard software.hasPrefix("nginx") || software.hasPrefix("Apache") else { return }
    let version = seen.frontFiles ?? 0
    if version >= FrontFiles.current {
      report.ok("front.files", "version \(version) of the shipped files")
    } else {
      report.fail(
        "front.files",
        "\(software) uses version \(version == 0 ? "1 or older" : "\(version)") of the shipped files, this bloblo has "
          + "\(FrontFiles.current)",
        advice:
          "copy the shipped files again: older ones let requests past the web server's own refusals (CHANGELOG.md)"
      )
    }
  }

  // MARK: header

  /// Whether the longest redirect arrives. A web server drops a redirect that is too long for its buffer.
  ///
  /// Source: <https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html#fastcgi_buffer_size>
  private func header(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard let longestURL else {
      return report.warn("front.header", "no URL can be signed", advice: "see credentials above")
    }
    let count = longestURL.bytes
    guard CheckPage.locationBytes.contains(count) else {
      return report.fail(
        "front.header", "\(longestURL): longer than any web server takes",
        advice: LongestURL.tokenAdvice
      )
    }
    var head: HTTPResponseHead
    do {
      var request = HTTPRequest(.get, url + CheckPage.blobPrefix + String(count), limits: limits)
      head = try http.head(of: request)
      if let authorization, isRefusal(head.status) {
        // The site guards blobs, and lets this client in.
        request.fields = [HTTPField("Authorization", authorization)]
        head = try http.head(of: request)
      }
    } catch {
      return report.fail("front.header", "\(longestURL): \(error)", advice: advice(to: count))
    }
    if head.fields.first(named: "location")?.text.utf8.count == count {
      report.ok("front.header", "\(longestURL) arrives whole")
    } else {
      report.fail(
        "front.header",
        "\(longestURL) does not arrive: status \(head.status) instead. Clients would lose such redirects",
        advice: advice(to: count))
    }
  }

  private func advice(to count: Int) -> String {
    "header buffers too small: nginx: fastcgi_buffer_size 64k; fastcgi_buffers 6 16k; "
      + "fastcgi_busy_buffers_size 64k, as shipped; its error log says \"upstream sent too big header\". "
      + "Apache takes 8 KiB a line, whatever is set: \(LongestURL.tokenAdvice)"
  }

  // MARK: blob

  private func blob(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard let path else { return }
    var request = HTTPRequest(
      .get, "\(url)/v2/\(path.name)/blobs/\(path.digest)",
      fields: [HTTPField("Range", "bytes=0-0")], limits: limits)
    if let authorization { request.fields.append(HTTPField("Authorization", authorization)) }
    let head: HTTPResponseHead
    do {
      head = try http.head(of: request)
    } catch {
      return report.fail("front.blob", "\(error)", advice: "the web server's error log says more")
    }
    guard let decision = head.fields.first(named: "x-bloblo")?.text, decision != "pass" else {
      let finding = "status \(head.status), and no X-Bloblo: the registry answered"
      let advice = "bloblo passed, was not asked, or does not run: its log and /bloblo/ say why"
      if isRedirectExpected {
        report.fail("front.blob", "\(finding), though the bucket has the blob", advice: advice)
      } else {
        report.warn(
          "front.blob", finding, advice: "\(advice); see upstream.proof and bucket.blob too")
      }
      return
    }
    switch head.status {
    case 200, 206, 302, 307: report.ok("front.blob", "\(decision), status \(head.status)")
    default:
      report.warn("front.blob", "\(decision), status \(head.status)", advice: "see upstream.proof")
    }
    if (300..<400).contains(head.status), head.fields.first(named: "docker-content-digest") == nil {
      report.warn(
        "front.digest", "Docker-Content-Digest is dropped on its way",
        advice: "see the shipped configuration")
    }
  }
}

/// The length of the longest URL that a redirect can have here.
package struct LongestURL: CustomStringConvertible {
  let bytes: Int
  private let isTokenSigned: Bool

  static let tokenAdvice =
    "a session token is most of a long URL: sign with a key without one (BLOBLO_PRESIGN_ACCESS_KEY_ID), or a "
    + "role with fewer session tags"

  /// - Returns: `nil` when nothing can be signed now.
  package init?(_ store: S3BlobStore) {
    // The longest digest makes the longest key.
    guard let digest = Digest("sha512:" + String(repeating: "0", count: 128)),
      let url = try? store.presign(digest, now: .now())
    else { return nil }
    isTokenSigned = String(decoding: url.bytes, as: UTF8.self).contains("X-Amz-Security-Token=")
    // The next session token may be longer: STS promises no length.
    bytes = url.bytes.count + (isTokenSigned ? url.bytes.count / 4 : 0)
  }

  package var description: String {
    "a Location of \(bytes) bytes, the longest here"
      + (isTokenSigned ? " and a quarter more for a longer session token" : "")
  }
}
