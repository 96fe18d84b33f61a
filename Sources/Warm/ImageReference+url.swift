internal import Registry

extension ImageReference {
  /// The URL of this host's registry.
  ///
  /// - Parameter isPlain: whether hosts beyond the loopback are asked by http.
  func url(on host: String, isPlain: Bool) -> String {
    let isLoopback =
      host.hasPrefix("127.") || host.hasPrefix("[::1]")
      || host.split(separator: ":").first == "localhost"
    let address = host == "docker.io" ? "registry-1.docker.io" : host
    return "\(isLoopback || isPlain ? "http" : "https")://\(address)"
  }
}
