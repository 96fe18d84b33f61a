internal import Glibc

extension ListenAddress {
  /// systemd's first socket, or spawn-fcgi's; `nil` when the process was started with none.
  ///
  /// Source: sd_listen_fds(3); FastCGI 1.0 §2.2.
  package init?(inheritedBy environment: [String: String]) {
    if environment["LISTEN_PID"] == String(getpid()),
      let count = Int(environment["LISTEN_FDS"] ?? ""), count >= 1
    {
      self = .inherited(descriptor: 3)
      return
    }
    guard listeningFamily(of: 0) != nil else { return nil }
    self = .inherited(descriptor: 0)
  }
}
