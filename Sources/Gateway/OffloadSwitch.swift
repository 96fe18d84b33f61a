internal import Glibc
internal import Synchronization
internal import System
internal import Telemetry
internal import Threading

/// Whether blobs are offloaded. While the file `BLOBLO_PASS_FILE` exists, all of them pass.
///
/// A file, since root can make one whatever user bloblo runs as, and it holds across restarts:
///
///     touch /run/bloblo/pass      # all blobs pass, within a second
///     rm /run/bloblo/pass         # and back
package final class OffloadSwitch: BackgroundService {
  /// How often the file is looked for.
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

/// What `bloblo offload` does with the file.
extension OffloadSwitch {
  package static func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// - Returns: what went wrong, in the system's words.
  package static func make(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return systemWords(for: errno) }
    close(descriptor)
    return nil
  }

  /// - Returns: what went wrong; a file that is not there is none.
  package static func remove(_ path: String) -> String? {
    guard unsafe unlink(path) != 0, errno != ENOENT else { return nil }
    return systemWords(for: errno)
  }
}
