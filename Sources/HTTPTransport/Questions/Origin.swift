/// A server by its URL's first part: what connections are kept for.
struct Origin: Hashable {
  let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  let host: String
  let port: UInt16
  /// As the `Host` field has it.
  let authority: String

  init(_ url: HTTPURL) {
    isSecure = url.scheme == .https
    host = url.host.hasPrefix("[") ? String(url.host.dropFirst().dropLast()) : url.host
    port = url.port
    authority = url.authority
  }
}
