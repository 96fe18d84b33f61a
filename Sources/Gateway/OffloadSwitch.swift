internal import Glibc
internal import Synchronization
internal import System
internal import Telemetry
internal import Threading

/// Whether blobs are offloaded. While the file `BLOBLO_PASS_FILE` exists, all of them pass.
///
/// It is a file because root can make one whatever user bloblo runs as, and because it holds across restarts:
///
///     touch /run/bloblo/pass      # all blobs pass, within a second
///     rm /run/bloblo/pass         # and back
package final class OffloadSwitch: BackgroundService {
  /// How often bloblo looks for the file.
  private static let interval = Duration.milliseconds(250)

  private let path: String
  private let notices: Notices
  private let isSwitchedOff = Atomic(false)
  private let isStopped = Monitor(false)

  /// Looks for the file once.
  init(file path: String, _ notices: Notices) {
    self.path = path
    self.notices = notices
    look()
  }

  /// Whether all blobs pass now.
  var isOff: Bool { isSwitchedOff.load(ordering: .relaxed) }

  /// Looks for the file from now on.
  package func start() {
    let thread = Thread.start("switch") { [self] in
      while isStopped.wait(for: Self.interval, until: { $0 ? true : nil }) == nil { look() }
    }
    thread?.detach()
  }

  package func stop() { isStopped.update { $0 = true } }

  private func look() {
    let isThere = Self.isThere(path)
    guard isSwitchedOff.exchange(isThere, ordering: .relaxed) != isThere else { return }
    if isThere {
      notices.raise(
        .switchedOff,
        "The file \(path) exists, so every blob comes from the registry. Remove it, or run `bloblo offload on`."
      )
    } else {
      notices.lower(.switchedOff, saying: "offloading is switched on again")
    }
  }
}

/// Makes or removes the file, for `bloblo offload`.
extension OffloadSwitch {
  package static func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Makes or removes the file.
  ///
  /// - Returns: what went wrong and what to do. To make a file that exists, or remove one that does not, is no fault.
  package static func set(_ path: String, isOff: Bool) -> String? {
    guard !(isOff ? make(path) : remove(path)) else { return nil }
    return
      "can't \(isOff ? "make" : "remove") \(path): \(systemWords(for: errno)). Run it as a user who may write "
      + "in that folder, or set BLOBLO_PASS_FILE."
  }

  private static func make(_ path: String) -> Bool {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }

  private static func remove(_ path: String) -> Bool {
    unsafe unlink(path) == 0 || errno == ENOENT
  }
}
