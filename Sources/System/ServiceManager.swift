internal import Glibc

/// The service manager that started us, if it wants to hear of us: systemd, `Type=notify`.
///
/// Source: sd_notify(3), sd_watchdog_enabled(3).
package struct ServiceManager: Sendable {
  private let socketPath: [UInt8]
  /// How often it must hear that we are well; `nil` when it does not ask.
  package let watchdogInterval: Duration?

  /// - Returns: `nil` when nobody listens.
  package init?(_ environment: [String: String]) {
    let path = Array((environment["NOTIFY_SOCKET"] ?? "").utf8)
    // sun_path has 108 bytes; "@" stands for the NUL of an abstract name.
    guard let first = path.first, "/@".utf8.contains(first), path.count < 108 else { return nil }
    socketPath = path
    let isForUs = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
    let microseconds = Int64(environment["WATCHDOG_USEC"] ?? "") ?? 0
    watchdogInterval = isForUs && microseconds > 0 ? .microseconds(microseconds) : nil
  }

  /// Tells it something, as `READY=1`. That nobody hears it changes nothing for those we serve.
  package func tell(_ state: String) {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
      unsafe bytes.copyBytes(from: socketPath)
      if unsafe bytes[0] == UInt8(ascii: "@") { unsafe bytes[0] = 0 }
    }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + socketPath.count)
    let message = Array(state.utf8)
    _ = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe message.withUnsafeBytes {
          unsafe sendto(
            descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL), address, length)
        }
      }
    }
  }
}
