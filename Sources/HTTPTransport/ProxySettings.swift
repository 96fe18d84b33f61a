internal import CCurl
internal import Synchronization

/// The proxies by which registry, S3 and STS are reached, as the environment says (`https_proxy`, `http_proxy`).
///
/// `HTTP_PROXY` is never read: to a CGI program that is a client's `Proxy` field. The loopback and link-local
/// addresses, where clouds tell a machine its credential, need no proxy.
///
/// Source: curl(1), "ENVIRONMENT"; <https://httpoxy.org>
package struct ProxySettings: Sendable, Equatable {
  /// What is wrong with a variable. No value: it may hold a password.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  private let http: String?
  private let https: String?
  /// The names and addresses that are reached directly, separated by commas.
  private let direct: String

  /// - Returns: `nil` when no proxy is set.
  package init?(environment: [String: String]) throws(Failure) {
    func first(_ names: String...) -> (name: String, value: String)? {
      for name in names {
        if let value = environment[name], !value.isEmpty { return (name, value) }
      }
      return nil
    }
    func proxy(_ found: (name: String, value: String)?) throws(Failure) -> String? {
      guard let found else { return nil }
      guard Self.isURL(found.value) else {
        throw Failure(
          description: "\(found.name): want a URL such as http://proxy.example.com:3128")
      }
      return found.value
    }
    http = try proxy(first("http_proxy"))
    https = try proxy(first("https_proxy", "HTTPS_PROXY"))
    guard http != nil || https != nil else { return nil }
    let named = first("no_proxy", "NO_PROXY").map { [$0.value] } ?? []
    direct = (named + [Self.ownAddresses]).joined(separator: ",")
  }

  /// Whether a proxy for http is set by the one name that is never read, and by no other.
  package static func isIgnored(in environment: [String: String]) -> Bool {
    func isSet(_ name: String) -> Bool { environment[name].map { !$0.isEmpty } ?? false }
    return isSet("HTTP_PROXY") && !isSet("http_proxy")
  }

  /// The machine's own, and the cloud's.
  private static let ownAddresses = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::/32"

  /// A scheme that libcurl knows, and something behind it.
  private static func isURL(_ text: String) -> Bool {
    ["http://", "https://", "socks5://", "socks5h://"].contains { scheme in
      text.lowercased().hasPrefix(scheme) && text.utf8.count > scheme.utf8.count
    } && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }

  /// Where the proxies are, without user and password.
  package var description: String {
    func shown(_ url: String) -> String {
      guard let at = url.lastIndex(of: "@"), let scheme = url.firstIndex(of: ":") else {
        return url
      }
      return url[..<scheme] + "://<redacted>" + url[at...]
    }
    return [http.map { "http by \(shown($0))" }, https.map { "https by \(shown($0))" }]
      .compactMap { $0 }.joined(separator: ", ")
  }

  /// Whether a proxy is set for this kind of URL; some hosts may be reached directly all the same.
  func mayApply(to url: String) -> Bool { proxy(for: url) != nil }

  fileprivate func proxy(for url: String) -> String? {
    url.lowercased().hasPrefix("https:") ? https : http
  }

  /// Tells the handle.
  func set(on handle: borrowing EasyHandle, for url: String) throws(TransportError) {
    guard let proxy = proxy(for: url) else { return try handle.set(CURLOPT_PROXY, "") }
    try handle.set(CURLOPT_PROXY, proxy)
    try handle.set(CURLOPT_NOPROXY, direct)
    // The proxy's answer to CONNECT is none of the server's.
    try handle.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
  }
}

/// Those of the process; none until they are set.
private let processProxies = Mutex<ProxySettings?>(nil)

extension HTTPClient {
  /// Has all clients of the process use these from now on.
  package static func use(_ proxies: ProxySettings?) { processProxies.withLock { $0 = proxies } }

  package static var proxies: ProxySettings? { processProxies.withLock { $0 } }
}
