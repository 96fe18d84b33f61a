package import HTTPTransport
internal import Primitives

/// Where an S3 service answers: `https://s3.eu-central-1.amazonaws.com`, `http://minio:9000`,
/// `https://[2001:db8::1]:8443/storage`.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  package typealias Scheme = HTTPURL.Scheme

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
    let url: HTTPURL
    do {
      url = try HTTPURL(text)
    } catch {
      switch error {
      case .user: throw .invalidEndpoint(reason: Self.extra)
      case .target: throw .invalidEndpoint(reason: Self.path)
      default: throw .invalidEndpoint(reason: error.description)
      }
    }
    guard !url.hasFragment, !url.target.contains(where: { $0 == "?" || $0 == "@" }) else {
      throw .invalidEndpoint(reason: Self.extra)
    }
    scheme = url.scheme
    host = url.host
    port = url.namedPort
    authority = url.authority
    pathPrefix = try Self.pathPrefix(url.target[...])
  }

  private static let extra = "want no user, query or fragment"
  private static let path = "want a path of letters, digits and -._~ between slashes"

  package var description: String { "\(scheme.rawValue)://\(authority)\(pathPrefix)" }

  /// Whether the host is an address, so that it can't have a bucket's name before it.
  var isAddress: Bool {
    host.hasPrefix("[") || host.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) }
  }

  private static func pathPrefix(_ path: Substring) throws(S3Error) -> String {
    var prefix = path
    while prefix.hasSuffix("/") { prefix.removeLast() }
    let isPlain = prefix.utf8.allSatisfy { PercentEncoding.isUnreserved($0) || $0 == 0x2F }
    let segments = prefix.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    // Anything else is spelt in more ways than one, and servers sign but one of them.
    guard isPlain, !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
      throw .invalidEndpoint(reason: Self.path)
    }
    return String(prefix)
  }
}
