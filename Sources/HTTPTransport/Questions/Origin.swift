/// A server by its URL's first part: what connections are kept for.
struct Origin: Hashable {
  let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  let host: String
  let port: UInt16
  /// As the `Host` field has it.
  let authority: String

  /// - Returns: the origin and the target, path and query; `nil` when the URL is none that we can ask.
  static func parse(_ url: String) -> (Origin, target: Substring)? {
    let isSecure = url.hasPrefix("https://")
    guard isSecure || url.hasPrefix("http://") else { return nil }
    let rest = url.dropFirst(isSecure ? 8 : 7)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    let authority = rest[..<end]
    guard !authority.isEmpty, !authority.contains("@"), !rest.contains("#"),
      let (host, port) = hostAndPort(authority, default: isSecure ? 443 : 80)
    else { return nil }
    let target = rest[end...].hasPrefix("/") ? rest[end...] : "/" + rest[end...]
    guard target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
    return (
      Origin(isSecure: isSecure, host: host, port: port, authority: String(authority)), target
    )
  }

  private static func hostAndPort(
    _ authority: Substring, default port: UInt16
  ) -> (String, UInt16)? {
    var host = authority
    var digits: Substring?
    if let bracket = authority.firstIndex(of: "]") {
      guard authority.hasPrefix("[") else { return nil }
      host = authority[..<bracket].dropFirst()
      let rest = authority[bracket...].dropFirst()
      guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
      digits = rest.isEmpty ? nil : rest.dropFirst()
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      digits = authority[colon...].dropFirst()
    }
    guard !host.isEmpty else { return nil }
    guard let digits else { return (String(host), port) }
    return UInt16(digits).map { (String(host), $0) }
  }
}
