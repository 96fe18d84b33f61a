internal import FastCGI
internal import Settings

extension Request {
  /// Whether the client would wait for the rest of a body that was broken off.
  ///
  /// Apache's mod_proxy_fcgi ends such an answer without a word, and mod_http2 (2.0.42) then leaves the stream open
  /// until the client's own timeout. What mod_proxy_http brings is cut at once.
  var hasEndlessCuts: Bool {
    withParameter("SERVER_PROTOCOL") { $0.begins(with: "HTTP/2") } == true
      && withParameter("SERVER_SOFTWARE") { $0.begins(with: "Apache") } == true
  }
}
