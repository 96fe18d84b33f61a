internal import FoundationEssentials

/// Finds guards and fields in nginx's configuration that nginx does not apply to blobs, since no location inherits
/// them.
///
/// It reads the text of `nginx -T`, and finds the servers that include `bloblo-locations.conf`.
package struct NginxCheck {
  private let configuration: NginxConfiguration

  /// - Parameter file: a path, or `-` for the standard input.
  package init?(file: String) {
    guard let text = file == "-" ? standardInput() : contents(of: file),
      let configuration = NginxConfiguration(dump: text)
    else { return nil }
    self.configuration = configuration
  }

  /// - Parameter file: a path, or `-` for the standard input.
  package static func run(file: String, _ report: inout CheckReport) {
    guard let check = NginxCheck(file: file) else {
      return report.fail(
        "nginx", "\(file): not what nginx -T prints", advice: "nginx -T | bloblo check --nginx -")
    }
    check.run(&report)
  }

  package func run(_ report: inout CheckReport) {
    var count = 0
    for http in configuration.directives where http.name == "http" {
      for server in http.all("server") where server.hasBloblo {
        count += 1
        let before = report.lines.count
        look(at: server, in: http, &report)
        if report.lines.count == before {
          report.ok(
            "nginx", "\(server.title): the guards and user fields of /v2/ hold for blobs too")
        }
      }
    }
    if count == 0 {
      report.fail(
        "nginx", "no server {} includes bloblo-locations.conf",
        advice: "include it at the end of the registry's server {}")
    }
  }

  private func look(
    at server: NginxConfiguration.Directive, in http: NginxConfiguration.Directive,
    _ report: inout CheckReport
  ) {
    let own = server.fields
    let lost = http.fields.subtracting(own)
    if !lost.isEmpty {
      report.fail(
        "nginx.headers",
        "\(server.title): proxy_set_header lines of http {} do not hold in it: \(list(lost))",
        advice:
          "write them into the server {} too: bloblo-locations.conf has such lines, and nginx inherits all or none. "
          + "Without them a client's own fields of these names reach the registry")
    }
    let blobs = server.blobLocations
    for location in server.all("location") where location.isOfRegistry {
      if location.words.contains("^~"), location.words.last?.hasPrefix("/v2") == true {
        report.fail(
          "nginx.order", "\(server.title): location \(location.place) keeps blobs from bloblo",
          advice: "remove the ^~")
      }
      let guards = location.guards.subtracting(server.guards)
      let open = blobs.map { guards.subtracting($0.guards) }.first { !$0.isEmpty }
      if let open {
        report.fail(
          "nginx.guards",
          "\(server.title): \(list(open)) of location \(location.place) does not guard blobs",
          advice: "write it into the server {}, or into snippets/bloblo-params-access.conf as well")
      }
      let fields = location.fields.subtracting(own).subtracting(plainFields)
      if !fields.isEmpty {
        report.fail(
          "nginx.fields",
          "\(server.title): \(list(fields)) is set in location \(location.place) only: for a blob a client's own value "
            + "reaches the registry",
          advice: "write it into the server {}, or into snippets/bloblo-fields.conf as well")
      }
    }
  }

  private func list(_ names: Set<String>) -> String { names.sorted().joined(separator: ", ") }
}

private func standardInput() -> String {
  var text = ""
  while let line = readLine(strippingNewline: false) { text += line }
  return text
}

private func contents(of file: String) -> String? {
  FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) }
}

/// Fields that bloblo's own lines set, or that a connection needs; in lower case.
private let plainFields: Set<String> = [
  "host", "connection", "upgrade", "content-length", "transfer-encoding", "x-real-ip",
  "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-request-id",
  "x-original-uri", "early-data",
]

/// Directives that make nginx refuse requests.
private let guardNames: Set<String> = [
  "auth_basic", "auth_request", "auth_jwt", "auth_pam", "auth_ldap", "auth_digest", "auth_gss",
  "deny", "limit_req", "limit_conn", "access_by_lua_block", "access_by_lua_file", "js_access",
]

extension NginxConfiguration.Directive {
  fileprivate var hasBloblo: Bool {
    all("location").contains { $0.words.last == "@bloblo_registry" }
  }

  fileprivate var blobLocations: [Self] {
    all("location").filter { $0.place.contains("/blobs/") && !$0.all("fastcgi_pass").isEmpty }
  }

  /// Whether manifests or all of the registry are served here.
  fileprivate var isOfRegistry: Bool {
    guard let pattern = words.last, !pattern.hasPrefix("@"), !deep("proxy_pass").isEmpty,
      all("fastcgi_pass").isEmpty
    else { return false }
    return pattern == "/" || pattern.contains("v2")
  }

  fileprivate var place: String { words.dropFirst().joined(separator: " ") }

  fileprivate var title: String {
    let names = all("server_name").flatMap { $0.words.dropFirst() }
    return "server \(names.first ?? all("listen").first?.words.dropFirst().first ?? "{}")"
  }

  /// The fields that its own lines set for the registry, in lower case.
  fileprivate var fields: Set<String> {
    Set(all("proxy_set_header").compactMap { $0.words.dropFirst().first?.lowercased() })
  }

  fileprivate var guards: Set<String> {
    Set(
      (inner ?? []).filter { guardNames.contains($0.name) && $0.words.dropFirst() != ["off"] }
        .map(\.name))
  }
}
