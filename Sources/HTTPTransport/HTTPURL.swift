internal import Primitives

/// An absolute http or https URL, taken apart.
///
///     let url = try HTTPURL("HTTPS://Registry.example.com:443/v2/?n=1")
///     url.authority    // registry.example.com
///     url.target       // /v2/?n=1
///     "\(url)"         // https://registry.example.com/v2/?n=1
///
/// Source: RFC 3986 §3, RFC 9110 §4.2.
package struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
  package enum Scheme: String, Sendable {
    case http
    case https

    package var defaultPort: UInt16 { self == .http ? 80 : 443 }
  }

  package let scheme: Scheme
  /// Lower-case; an IPv6 address in its brackets.
  package let host: String
  /// nil for the scheme's default.
  package let namedPort: UInt16?
  /// Host and port as the `Host` field has them: clients leave a default port out.
  package let authority: String
  /// Path and query as they are written, with a slash first.
  package let target: String
  /// Whether something follows a `#`; it is never sent.
  package let hasFragment: Bool

  package var port: UInt16 { namedPort ?? scheme.defaultPort }

  /// Scheme, host and port: what a credential is for.
  package var origin: String { "\(scheme.rawValue)://\(authority)" }

  package var description: String { origin + target }

  package init(_ text: String) throws(HTTPURLError) {
    // By bytes: each question to a registry begins here, and characters cost ten times as much.
    let bytes = text.utf8
    guard let schemeEnd = bytes.firstIndex(of: UInt8(ascii: ":")),
      let scheme = Scheme(rawValue: text[..<schemeEnd].lowercased()),
      bytes[schemeEnd...].starts(with: "://".utf8)
    else { throw .scheme }
    let rest = bytes[schemeEnd...].dropFirst(3)
    let authority = rest.prefix { $0 != Self.slash && $0 != Self.question && $0 != Self.hash }
    guard !authority.contains(UInt8(ascii: "@")) else { throw .user }
    let (host, port) = try Self.hostAndPort(authority)
    let target = rest[authority.endIndex...].prefix { $0 != Self.hash }
    guard target.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .target }
    self.scheme = scheme
    self.host = host
    namedPort = port == scheme.defaultPort ? nil : port
    self.authority = namedPort.map { "\(host):\($0)" } ?? host
    self.target = target.first == Self.slash ? String(Substring(target)) : "/" + Substring(target)
    hasFragment = target.endIndex != text.endIndex
  }

  /// Where a redirect leads.
  ///
  /// - Parameter location: absolute, or a path on the host of `base`, or with `//` first on a host of its own.
  package init(location: [UInt8], from base: HTTPURL) throws(HTTPURLError) {
    let text = String(decoding: location, as: UTF8.self)
    if text.hasPrefix("//") {
      try self.init(base.scheme.rawValue + ":" + text)
    } else {
      try self.init(text.hasPrefix("/") ? base.origin + text : text)
    }
  }

  private static func hostAndPort(
    _ authority: Substring.UTF8View
  ) throws(HTTPURLError) -> (host: String, port: UInt16?) {
    let hostEnd: Substring.Index
    if authority.first == UInt8(ascii: "[") {
      guard let bracket = authority.firstIndex(of: UInt8(ascii: "]")) else { throw .openBracket }
      hostEnd = authority.index(after: bracket)
      let address = authority[..<bracket].dropFirst()
      guard address.count > 1, address.allSatisfy(isOfIPv6) else { throw .address }
      guard hostEnd == authority.endIndex || authority[hostEnd] == colon else {
        throw .afterBracket
      }
    } else {
      hostEnd = authority.firstIndex(of: colon) ?? authority.endIndex
      let name = authority[..<hostEnd]
      guard (1...253).contains(name.count),
        name.allSatisfy({ PercentEncoding.isUnreserved($0) && $0 != UInt8(ascii: "~") })
      else { throw .host }
    }
    let host = Substring(authority[..<hostEnd]).lowercased()
    if hostEnd == authority.endIndex { return (host, nil) }
    let digits = authority[hostEnd...].dropFirst()
    guard digits.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(Substring(digits)),
      port > 0
    else { throw .port }
    return (host, port)
  }

  private static let slash = UInt8(ascii: "/")
  private static let question = UInt8(ascii: "?")
  private static let hash = UInt8(ascii: "#")
  private static let colon = UInt8(ascii: ":")

  private static func isOfIPv6(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
    default: false
    }
  }
}

/// What a text lacks to be an http or https URL; the text itself is not repeated, since it may hold a password.
package enum HTTPURLError: Error, CustomStringConvertible {
  case scheme, user, host, openBracket, afterBracket, address, port, target

  package var description: String {
    switch self {
    case .scheme: "want http:// or https:// first"
    case .user: "want no user"
    case .host: "want a host of letters, digits, dots and hyphens"
    case .openBracket: "an IPv6 address without its ]"
    case .afterBracket: "want nothing or a port after ]"
    case .address: "want an IPv6 address in the brackets"
    case .port: "want a port of 1 to 65535"
    case .target: "want ASCII letters, digits and signs in path and query"
    }
  }
}
