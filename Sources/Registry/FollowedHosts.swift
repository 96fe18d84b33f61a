/// The hosts to which a fill may follow a redirect of the registry's: `BLOBLO_UPSTREAM_FOLLOW`.
///
/// Only what is named, by its exact name: a registry that redirects must not have bloblo read whatever answers on
/// a loopback or link-local address, unless the operator has named that.
package struct FollowedHosts: Sendable, Equatable {
  /// A redirect that is not followed.
  package enum Refusal: Error, Sendable, Equatable {
    /// It leads to this host, with its port where that is not the scheme's own.
    case notNamed(String)
    /// From https to http.
    case downgrade(String)
    /// No absolute or relative http(s) URL, or one with a user or control characters.
    case unreadable
  }

  /// `host`, or `host:port`; lower-case.
  private let names: Set<String>

  /// As the setting has it, with one more.
  package func text(with host: String) -> String {
    (names.sorted() + (names.contains(host) ? [] : [host])).joined(separator: ",")
  }

  /// Nobody is followed.
  package static let none = FollowedHosts(names: [])

  package var isEmpty: Bool { names.isEmpty }

  private init(names: Set<String>) { self.names = names }

  /// - Parameter text: `host[:port],…`; an IPv6 address in its brackets.
  /// - Returns: nil when one of them is something else.
  package init?(_ text: String) {
    var names: Set<String> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let name = String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        .lowercased()
      guard let url = RedirectTarget("https://\(name)/"), url.path == "/" else { return nil }
      // A port that is the scheme's own is said all the same: it is for that one alone.
      names.insert(name)
    }
    self.names = names
  }

  /// Where a redirect leads, if it may be followed.
  ///
  /// - Parameters:
  ///   - location: the value of `Location`.
  ///   - url: absolute, of the request that was answered.
  package func target(of location: [UInt8], from url: String) throws(Refusal) -> String {
    guard let base = RedirectTarget(url), let target = RedirectTarget(location, from: base) else {
      throw .unreadable
    }
    guard !base.isSecure || target.isSecure else { throw .downgrade(target.authority) }
    let isNamed =
      names.contains("\(target.host):\(target.port)")
      || target.hasOwnPort && names.contains(target.host)
    guard isNamed else { throw .notNamed(target.authority) }
    return target.text
  }
}

/// An absolute http(s) URL, taken apart.
struct RedirectTarget {
  let isSecure: Bool
  /// Lower-case; an IPv6 address in its brackets.
  let host: String
  let port: UInt16
  /// Path and query; never empty.
  let path: String

  /// Whether the port is the scheme's own.
  var hasOwnPort: Bool { port == (isSecure ? 443 : 80) }

  /// As `Host` has it.
  var authority: String { hasOwnPort ? host : "\(host):\(port)" }

  var text: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }

  init?(_ url: String) {
    guard let schemeEnd = url.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    let scheme = url[..<schemeEnd].lowercased()
    guard scheme == "http" || scheme == "https", url[schemeEnd...].hasPrefix("://"),
      url.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
    isSecure = scheme == "https"
    let rest = url[schemeEnd...].dropFirst(3).prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let path = rest.dropFirst(authority.count)
    self.path = path.hasPrefix("/") ? String(path) : "/" + path
    guard let (host, port) = Self.hostAndPort(authority) else { return nil }
    self.host = host
    self.port = port ?? (isSecure ? 443 : 80)
  }

  /// - Parameter location: absolute, or a path on the host of `base`.
  init?(_ location: [UInt8], from base: RedirectTarget) {
    let text = String(decoding: location, as: UTF8.self)
    if text.hasPrefix("//") {
      self.init((base.isSecure ? "https:" : "http:") + text)
    } else if text.hasPrefix("/") {
      self.init((base.isSecure ? "https://" : "http://") + base.authority + text)
    } else {
      self.init(text)
    }
  }

  private static func hostAndPort(_ authority: Substring) -> (host: String, port: UInt16?)? {
    let hostEnd: Substring.Index
    if authority.hasPrefix("[") {
      guard let bracket = authority.firstIndex(of: "]") else { return nil }
      hostEnd = authority.index(after: bracket)
      let isAddress = authority[..<bracket].dropFirst().utf8.allSatisfy {
        ($0 | 0x20).isLowerHexadecimalOrDigit || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
      }
      guard isAddress else { return nil }
    } else {
      hostEnd = authority.firstIndex(of: ":") ?? authority.endIndex
      let isName = authority[..<hostEnd].utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D
          || $0 == 0x2E || $0 == 0x5F
      }
      guard isName else { return nil }
    }
    let host = authority[..<hostEnd].lowercased()
    guard !host.isEmpty else { return nil }
    let rest = authority[hostEnd...]
    if rest.isEmpty { return (host, nil) }
    guard rest.hasPrefix(":"), rest.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let port = UInt16(rest.dropFirst()), port > 0
    else { return nil }
    return (host, port)
  }
}

extension UInt8 {
  fileprivate var isLowerHexadecimalOrDigit: Bool {
    (0x30...0x39).contains(self) || (0x61...0x66).contains(self)
  }
}

extension FollowedHosts.Refusal: CustomStringConvertible {
  /// No path and no query: they may be signatures.
  package var description: String {
    switch self {
    case .notNamed(let host):
      "it redirects to \(host): a fill follows there if BLOBLO_UPSTREAM_FOLLOW names it"
    case .downgrade(let host): "it redirects from https to http, on \(host)"
    case .unreadable: "it redirects to what is no http or https URL"
    }
  }
}
