package import FastCGI

/// Who stands between the client and us, and so what becomes of a pass.
package enum FrontServerKind: String, Sendable, CaseIterable {
  /// What the request says: a CGI process and lighttpd are `none`, HAProxy says its name, and the answer
  /// for all others does for nginx, Apache and Caddy.
  case auto
  case nginx, apache, haproxy
  /// Nobody who could hand a request on to the registry: we relay its answer.
  case none

  /// The kind for one request; never `auto`.
  package func resolved(for request: Request) -> FrontServerKind {
    guard self == .auto else { return self }
    if request.isOfOwnProcess { return .none }
    return request.withParameter("SERVER_SOFTWARE") { software in
      if software.begins(with: "lighttpd") { return .none }
      if software.begins(with: "HAProxy") { return .haproxy }
      return software.begins(with: "Apache") ? .apache : .nginx
    } ?? .nginx
  }
}

extension Span<UInt8> {
  package func begins(with text: StaticString) -> Bool {
    guard count >= text.utf8CodeUnitCount else { return false }
    for i in 0..<text.utf8CodeUnitCount {
      guard unsafe self[i] == text.utf8Start[i] else { return false }
    }
    return true
  }
}
