package import FastCGI
internal import FoundationEssentials
internal import Gateway
internal import Primitives
internal import Settings
internal import Telemetry

/// The params of a web server's request: enough to see what it changed, and no secret.
struct SeenParams: Codable {
  var version: String
  var software: String?
  var requestURI: String?
  var method: String?
  var host: String?
  var scheme: String?
  var remoteAddress: String?
  /// Whether the request had one. Its value is the client's secret.
  var authorization: Bool
  /// Names of the settings that params override.
  var overrides: [String]
  /// The version of the shipped files that the web server uses, if it says one.
  var frontFiles: Int?
}

/// Answers `bloblo check --front`, for clients on this machine only. The shipped files allow no other client, and
/// this page asks once more: it shows which params a web server sets.
///
/// | path | answer |
/// |---|---|
/// | `/bloblo/check` | the params, as the location of the pages hands them on |
/// | `/v2/bloblo/blobs/check:params` | the same, as that of the blobs does |
/// | `/v2/bloblo/blobs/check:N` | a redirect with a `Location` of N bytes, to see whether it arrives |
///
/// The last two are not paths of blobs, since no such algorithm exists, but blob locations match them.
package struct CheckPage: Route {

  package init() {}
  static let path = "/bloblo/check"
  static let blobPrefix = "/v2/bloblo/blobs/check:"
  /// No web server takes a longer one.
  static let locationBytes = 64...32_768

  /// - Returns: whether the request was for this, and is answered.
  package func answer(_ request: Request) -> Bool {
    let target = request.parameter("REQUEST_URI") ?? []
    let path = String(decoding: target.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
    let isForBlob = path.hasPrefix(Self.blobPrefix)
    guard isForBlob || path == Self.path, request.parameter("REQUEST_METHOD") == Array("GET".utf8),
      isFromThisMachine(request)
    else { return false }
    let word = isForBlob ? path.dropFirst(Self.blobPrefix.count) : "params"
    if word == "params" {
      answerParams(request)
    } else if let count = Int(word), Self.locationBytes.contains(count) {
      answerRedirect(request, locationBytes: count)
    } else {
      return false
    }
    return true
  }

  private func answerParams(_ request: Request) {
    // Strings only: there is nothing that can't be encoded.
    let body = [UInt8]((try? JSONEncoder().encode(SeenParams(request))) ?? Data())
    var head = ResponseHead(status: 200)
    head.add("Content-Type", "application/json")
    head.add("Content-Length", String(body.count))
    head.add("Cache-Control", "no-store")
    head.add("X-Bloblo", "check")
    request.answer(head, body: body)
  }

  /// Answers like a blob's redirect, but to an address that leads nowhere.
  private func answerRedirect(_ request: Request, locationBytes count: Int) {
    let origin = "http://bloblo.invalid/"
    var head = ResponseHead(status: 307, capacity: count + 320)
    head.add("Location", origin + String(repeating: "a", count: count - origin.utf8.count))
    // As long as a SHA-512's.
    head.add("Docker-Content-Digest", "sha512:" + String(repeating: "0", count: 128))
    head.add("Content-Length", "0")
    head.add("Cache-Control", "no-store")
    head.add("X-Bloblo", "check")
    request.answer(head)
  }

  /// Whether the client is on the web server's own machine, and no proxy or tunnel says that it sent the request.
  ///
  /// The shipped nginx files add the client's address to `X-Forwarded-For`. Anything else in that field comes from a
  /// client or a proxy.
  private func isFromThisMachine(_ request: Request) -> Bool {
    func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }
    let address = text(request.parameter("REMOTE_ADDR"))
    guard address.hasPrefix("127.") || address == "::1" || address == "unix:" else { return false }
    let isAdded =
      request.withParameter("SERVER_SOFTWARE") { $0.begins(with: "nginx") } ?? false
    let forwarded = text(request.parameter("HTTP_X_FORWARDED_FOR"))
    return (forwarded.isEmpty || isAdded && forwarded == address)
      && (request.parameter("HTTP_FORWARDED") ?? []).isEmpty
      && (request.parameter("HTTP_VIA") ?? []).isEmpty
  }
}

extension SeenParams {
  init(_ request: Request) {
    func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
    version = blobloVersion
    software = text(request.parameter("SERVER_SOFTWARE"))
    requestURI = text(request.parameter("REQUEST_URI"))
    method = text(request.parameter("REQUEST_METHOD"))
    host = text(request.parameter("HTTP_HOST"))
    scheme = text(request.parameter("HTTP_X_FORWARDED_PROTO"))
    remoteAddress = text(request.parameter("REMOTE_ADDR"))
    authorization = request.withParameter("HTTP_AUTHORIZATION") { $0.count > 0 } ?? false
    var names: [String] = []
    request.forEachParameter(prefix: "BLOBLO_") { name, value in
      if value.count > 0, name != "BLOBLO_FRONT_FILES" { names.append(name) }
    }
    overrides = names.sorted()
    let version = FrontFiles.version(of: request)
    frontFiles = version == 0 ? nil : version
  }
}
