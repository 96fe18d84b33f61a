package import FastCGI
internal import Primitives

/// The kind of web server in front of bloblo. It decides how bloblo passes a request.
package enum WebServer: String, Sendable, CaseIterable {
  /// Take the kind from the request: `none` for a CGI process and lighttpd, `haproxy` for HAProxy. nginx, Apache and
  /// Caddy take the same answer.
  case auto
  case nginx, apache, haproxy
  /// The web server can't hand a request on to the registry: bloblo relays the answer.
  case none

  /// The kind for one request; never `auto`.
  package func resolved(for request: Request) -> WebServer {
    guard self == .auto else { return self }
    if request.isOfOwnProcess { return .none }
    return request.withParameter("SERVER_SOFTWARE") { software in
      if software.begins(with: "lighttpd") { return .none }
      if software.begins(with: "HAProxy") { return .haproxy }
      return software.begins(with: "Apache") ? .apache : .nginx
    } ?? .nginx
  }
}
