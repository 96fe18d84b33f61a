internal import FastCGI

/// Params of fields that identify nobody, or that go upstream with the question.
///
/// Any field that is not listed may be a credential (`X-JFrog-Art-Api`, `Private-Token`, `X-Forwarded-Access-Token`):
/// clients can be configured to send any.
private let harmless = Set(UpstreamParameter.all.map { "\($0.parameter)" }).union([
  "HTTP_HOST", "HTTP_ACCEPT",
  // How the client wants the answer, and fields of one connection.
  "HTTP_ACCEPT_CHARSET", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_CONNECTION",
  "HTTP_CONTENT_TYPE", "HTTP_DOCKER_DISTRIBUTION_API_VERSION", "HTTP_KEEP_ALIVE", "HTTP_TE",
  // The way of the request: proxies before us add such fields to every request.
  "HTTP_CDN_LOOP", "HTTP_CF_CONNECTING_IP", "HTTP_CF_IPCOUNTRY", "HTTP_CF_RAY", "HTTP_CF_VISITOR",
  "HTTP_FORWARDED", "HTTP_TRUE_CLIENT_IP", "HTTP_VIA", "HTTP_X_FORWARDED_PREFIX",
  "HTTP_X_FORWARDED_SCHEME", "HTTP_X_FORWARDED_SERVER", "HTTP_X_FORWARDED_SSL",
  "HTTP_X_ORIGINAL_FORWARDED_FOR", "HTTP_X_SCHEME",
  // Identifiers of the request.
  "HTTP_B3", "HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_UBER_TRACE_ID", "HTTP_X_AMZN_TRACE_ID",
  "HTTP_X_B3_FLAGS", "HTTP_X_B3_PARENTSPANID", "HTTP_X_B3_SAMPLED", "HTTP_X_B3_SPANID",
  "HTTP_X_B3_TRACEID", "HTTP_X_CLOUD_TRACE_CONTEXT", "HTTP_X_CORRELATION_ID", "HTTP_X_REQUEST_ID",
])

extension Request {
  /// Whether each field that may be a credential goes upstream with the question. If not, the registry might answer
  /// us otherwise than it would answer the client.
  var hasOnlyHarmlessFields: Bool {
    var isHarmless = true
    let site = SiteFields(self)
    forEachParameter(prefix: "HTTP_") { name, value in
      // A web server removes a field by an empty value.
      if value.count > 0, !harmless.contains(name),
        !site.replaces(fieldName(name.dropFirst(5)).lowercased())
      {
        isHarmless = false
      }
    }
    // The question has no body.
    let length = parameter("CONTENT_LENGTH") ?? []
    return isHarmless && (length.isEmpty || length == Array("0".utf8))
  }
}
