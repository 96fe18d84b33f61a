/// Where the web server knocks.
package enum ListenAddress: Sendable, Equatable {
  /// An empty host is the loopback: anyone who reaches a FastCGI responder can set its params.
  case tcp(host: String, port: UInt16)
  case unix(path: String)
  /// A listening socket that was open before we started: 0 from spawn-fcgi, 3 from systemd.
  case inherited(descriptor: Int32)

  /// Reads `host:port`, `:port`, `[v6]:port` or `unix:/path`.
  package init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      // sun_path has 108 bytes, the last for NUL, and 12 are kept for the name a socket is made under.
      guard path.hasPrefix("/"), path.utf8.count <= 95, !path.utf8.contains(0) else { return nil }
      self = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":"), case let digits = text[text.index(after: colon)...],
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    // No host has brackets in its name, and we would show this address as another one.
    guard !host.utf8.contains(where: { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }) else {
      return nil
    }
    self = .tcp(host: String(host), port: port)
  }

  /// Whether others than this machine's own processes may reach it.
  package var isBeyondLoopback: Bool {
    guard case .tcp(let host, _) = self else { return false }
    return !(host.isEmpty || host == "localhost" || host == "::1" || host.hasPrefix("127."))
  }
}

extension ListenAddress: CustomStringConvertible {
  package var description: String {
    switch self {
    case .tcp(let host, let port):
      host.contains(":") ? "[\(host)]:\(port)" : "\(host.isEmpty ? "127.0.0.1" : host):\(port)"
    case .unix(let path): "unix:\(path)"
    case .inherited(let descriptor): "descriptor \(descriptor)"
    }
  }
}
