internal import FastCGI

/// Params of the client's fields that say nothing of who it is, or that upstream is asked with.
///
/// Whatever is not here may be a credential (`X-JFrog-Art-Api`, `Private-Token`,
/// `X-Forwarded-Access-Token`): clients can be told to send any field.
private let harmless = Set(UpstreamParameter.all.map { "\($0.parameter)" }).union([
  "HTTP_HOST", "HTTP_ACCEPT",
  // How an answer is wanted, and what is between two neighbours only.
  "HTTP_ACCEPT_CHARSET", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_CONNECTION",
  "HTTP_CONTENT_TYPE", "HTTP_DOCKER_DISTRIBUTION_API_VERSION", "HTTP_KEEP_ALIVE", "HTTP_TE",
  // Which way the request came: who may stand between the client and us adds such fields to all.
  "HTTP_CDN_LOOP", "HTTP_CF_CONNECTING_IP", "HTTP_CF_IPCOUNTRY", "HTTP_CF_RAY", "HTTP_CF_VISITOR",
  "HTTP_FORWARDED", "HTTP_TRUE_CLIENT_IP", "HTTP_VIA", "HTTP_X_FORWARDED_PREFIX",
  "HTTP_X_FORWARDED_SCHEME", "HTTP_X_FORWARDED_SERVER", "HTTP_X_FORWARDED_SSL",
  "HTTP_X_ORIGINAL_FORWARDED_FOR", "HTTP_X_SCHEME",
  // Which request it is.
  "HTTP_B3", "HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_UBER_TRACE_ID", "HTTP_X_AMZN_TRACE_ID",
  "HTTP_X_B3_FLAGS", "HTTP_X_B3_PARENTSPANID", "HTTP_X_B3_SAMPLED", "HTTP_X_B3_SPANID",
  "HTTP_X_B3_TRACEID", "HTTP_X_CLOUD_TRACE_CONTEXT", "HTTP_X_CORRELATION_ID", "HTTP_X_REQUEST_ID",
])

extension Request {
  /// Whether all that may be a credential is among what upstream is asked with: else its answer to us may be
  /// another than to the client.
  var hasOnlyHarmlessFields: Bool {
    var isHarmless = true
    let site = SiteFields(self)
    forEachParameter(prefix: "HTTP_") { name, value in
      // An empty one is how a web server takes a field away.
      if value.count > 0, !harmless.contains(name),
        !site.replaces(fieldName(name.dropFirst(5)).lowercased())
      {
        isHarmless = false
      }
    }
    // Nor do we send a body.
    let length = parameter("CONTENT_LENGTH") ?? []
    return isHarmless && (length.isEmpty || length == Array("0".utf8))
  }
}
