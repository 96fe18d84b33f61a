internal import Primitives

/// Where an S3 service answers: `https://s3.eu-central-1.amazonaws.com`, `http://minio:9000`,
/// `https://[2001:db8::1]:8443/storage`.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  package enum Scheme: String, Sendable {
    case http
    case https

    var defaultPort: UInt16 { self == .http ? 80 : 443 }
  }

  package let scheme: Scheme
  /// Lower-case; an IPv6 address in its brackets.
  package let host: String
  /// nil for the scheme's default.
  package let port: UInt16?
  /// What precedes the bucket in a path: empty, or with a slash first and none last. Signed, as all
  /// of the path is.
  package let pathPrefix: String
  /// Host and port as the `Host` field has them: clients leave a default port out, so it must not be
  /// signed.
  package let authority: String

  /// - Parameter text: absolute, without user, query and fragment; a trailing slash says nothing.
  /// - Throws: `.invalidEndpoint`.
  package init(_ text: String) throws(S3Error) {
    guard let schemeEnd = text.utf8.firstIndex(of: UInt8(ascii: ":")),
      let scheme = Scheme(rawValue: text[..<schemeEnd].lowercased()),
      text[schemeEnd...].hasPrefix("://")
    else { throw .invalidEndpoint(reason: "want http:// or https:// first") }
    let rest = text[schemeEnd...].dropFirst(3)
    guard !rest.contains(where: { $0 == "?" || $0 == "#" || $0 == "@" }) else {
      throw .invalidEndpoint(reason: "want no user, query or fragment")
    }
    let authorityEnd = rest.firstIndex(of: "/") ?? rest.endIndex
    let (host, port) = try Self.hostAndPort(rest[..<authorityEnd])
    self.init(
      scheme, host: host, port: port == scheme.defaultPort ? nil : port,
      pathPrefix: try Self.pathPrefix(rest[authorityEnd...]))
  }

  private init(_ scheme: Scheme, host: String, port: UInt16?, pathPrefix: String) {
    self.scheme = scheme
    self.host = host
    self.port = port
    self.pathPrefix = pathPrefix
    authority = port.map { "\(host):\($0)" } ?? host
  }

  package var description: String { "\(scheme.rawValue)://\(authority)\(pathPrefix)" }

  /// Whether the host is an address, so that it can't have a bucket's name before it.
  var isAddress: Bool {
    host.hasPrefix("[") || host.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) }
  }

  private static func hostAndPort(
    _ authority: Substring
  ) throws(S3Error) -> (host: String, port: UInt16?) {
    var host = authority
    var portText: Substring?
    if authority.hasPrefix("[") {
      guard let bracket = authority.firstIndex(of: "]") else {
        throw .invalidEndpoint(reason: "an IPv6 address without its ]")
      }
      host = authority[...bracket]
      let rest = authority[bracket...].dropFirst()
      guard rest.isEmpty || rest.hasPrefix(":") else {
        throw .invalidEndpoint(reason: "want nothing or a port after ]")
      }
      portText = rest.isEmpty ? nil : rest.dropFirst()
      guard host.utf8.count > 3,
        host.utf8.dropFirst().dropLast().allSatisfy(isOfIPv6)
      else { throw .invalidEndpoint(reason: "want an IPv6 address in the brackets") }
    } else {
      if let colon = authority.firstIndex(of: ":") {
        host = authority[..<colon]
        portText = authority[colon...].dropFirst()
      }
      guard (1...253).contains(host.utf8.count),
        host.utf8.allSatisfy({ PercentEncoding.isUnreserved($0) && $0 != UInt8(ascii: "~") })
      else { throw .invalidEndpoint(reason: "want a host of letters, digits, dots and hyphens") }
    }
    guard let portText else { return (host.lowercased(), nil) }
    guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(portText),
      port > 0
    else { throw .invalidEndpoint(reason: "want a port of 1 to 65535") }
    return (host.lowercased(), port)
  }

  private static func pathPrefix(_ path: Substring) throws(S3Error) -> String {
    var prefix = path
    while prefix.hasSuffix("/") { prefix.removeLast() }
    let isPlain = prefix.utf8.allSatisfy { PercentEncoding.isUnreserved($0) || $0 == 0x2F }
    let segments = prefix.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    // Anything else is spelt in more ways than one, and servers sign but one of them.
    guard isPlain, !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
      throw .invalidEndpoint(reason: "want a path of letters, digits and -._~ between slashes")
    }
    return String(prefix)
  }

  private static func isOfIPv6(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
    default: false
    }
  }
}
