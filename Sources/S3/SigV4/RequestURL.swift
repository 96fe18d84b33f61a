/// The parts of an absolute, encoded URL that are signed.
///
/// `HTTPURL` would do for no signature: what is signed must be letter by letter what goes out.
struct RequestURL {
  /// As the `Host` field has it: without the scheme's default port.
  let host: String
  let path: String
  private let query: Substring

  /// - Parameter url: made by this room or from an `Endpoint`, so that it has a scheme and a host.
  init(_ url: String) {
    guard let schemeEnd = url.utf8.firstIndex(of: UInt8(ascii: ":")),
      url[schemeEnd...].hasPrefix("://")
    else { preconditionFailure("a request without an absolute URL") }
    let rest = url[schemeEnd...].dropFirst(3)
    let hostEnd = rest.utf8.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? rest.endIndex
    let pathEnd = rest[hostEnd...].utf8.firstIndex(of: UInt8(ascii: "?")) ?? rest.endIndex
    let defaultPort = url[..<schemeEnd] == "http" ? ":80" : ":443"
    let authority = rest[..<hostEnd]
    host = String(
      authority.hasSuffix(defaultPort) ? authority.dropLast(defaultPort.count) : authority)
    path = hostEnd == pathEnd ? "/" : String(rest[hostEnd..<pathEnd])
    query = rest[pathEnd...].dropFirst()
  }

  /// Sorted by name, then value; a parameter without `=` is given one.
  var canonicalQuery: String {
    query.split(separator: "&").map { parameter in
      let name = parameter.prefix { $0 != "=" }
      return (name: name, value: parameter.dropFirst(name.count + 1))
    }
    .sorted { a, b in
      a.name == b.name
        ? a.value.utf8.lexicographicallyPrecedes(b.value.utf8)
        : a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
    }
    .map { "\($0.name)=\($0.value)" }
    .joined(separator: "&")
  }
}
