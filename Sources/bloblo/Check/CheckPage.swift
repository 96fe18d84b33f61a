import FastCGI
import FoundationEssentials

/// What a web server's request brought: enough to see what it changed, and no secret.
struct SeenParams: Codable {
  var version: String
  var software: String?
  var requestURI: String?
  var method: String?
  var host: String?
  var scheme: String?
  var remoteAddress: String?
  /// Whether there was one; its value is the client's secret.
  var authorization: Bool
  /// Names of the settings that params override.
  var overrides: [String]
}

/// The page on `/bloblo/check`, which `bloblo check --front` reads.
enum CheckPage {
  /// - Returns: whether the request was for this page, and is answered.
  ///
  /// Only a client on this machine gets it: the shipped configurations allow no other, and one that forgot
  /// to forbid them is no reason to show what params it sets.
  static func answer(_ request: Request) -> Bool {
    let target = request.parameter("REQUEST_URI") ?? []
    guard target.prefix(while: { $0 != UInt8(ascii: "?") }).elementsEqual("/bloblo/check".utf8),
      request.parameter("REQUEST_METHOD") == Array("GET".utf8), isLoopback(request)
    else { return false }
    // Strings only: there is nothing that can't be encoded.
    let body = [UInt8]((try? JSONEncoder().encode(SeenParams(request))) ?? Data())
    var head = ResponseHead(status: 200)
    head.add("Content-Type", "application/json")
    head.add("Content-Length", String(body.count))
    head.add("Cache-Control", "no-store")
    request.answer(head, body: body)
    return true
  }

  private static func isLoopback(_ request: Request) -> Bool {
    let address = request.parameter("REMOTE_ADDR") ?? []
    return address.starts(with: "127.".utf8) || address.elementsEqual("::1".utf8)
      || address.elementsEqual("unix:".utf8)
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
      if value.count > 0 { names.append(name) }
    }
    overrides = names.sorted()
  }
}
