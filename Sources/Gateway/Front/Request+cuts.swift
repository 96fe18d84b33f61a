internal import FastCGI
internal import Primitives
internal import Settings

extension Request {
  /// Whether the client would not notice that a body was cut off, and would wait for the rest.
  ///
  /// Apache's mod_proxy_fcgi ends such an answer without an error, and mod_http2 (2.0.42) then leaves the stream open
  /// until the client's own timeout. A body that mod_proxy_http reads is cut at once.
  var hasEndlessCuts: Bool {
    withParameter("SERVER_PROTOCOL") { $0.begins(with: "HTTP/2") } == true
      && withParameter("SERVER_SOFTWARE") { $0.begins(with: "Apache") } == true
  }
}
