import ArgumentParser
import Glibc
import Settings
import System

/// Switches offloading off and on.
struct Offload: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Switch offloading off or on, or show which it is.",
    discussion: """
      `bloblo offload off` makes the file BLOBLO_PASS_FILE, `bloblo offload on` removes it. A running bloblo that \
      has the same setting notices within a second: while the file exists, every blob passes to the registry.

      Example: bloblo offload off
      """)

  enum State: String, ExpressibleByArgument, CaseIterable { case on, off }

  @Argument(help: "on or off; without it the command shows the state.")
  var state: State?

  @OptionGroup var file: EnvironmentFileOption

  func run() throws {
    var reader = SettingsReader(try file.environment())
    let path = readPassFile(&reader)
    switch state {
    case .off: try switchOff(path)
    case .on:
      if unsafe unlink(path) != 0, errno != ENOENT { throw failure("remove", path) }
    case nil: break
    }
    let isOff = unsafe access(path, F_OK) == 0
    print(isOff ? "off: \(path) exists, so every blob passes" : "on: there is no \(path)")
  }

  private func switchOff(_ path: String) throws {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure("make", path) }
    close(descriptor)
  }

  private func failure(_ act: String, _ path: String) -> any Error {
    complain([
      "bloblo: can't \(act) \(path): \(systemWords(for: errno)). Run it as a user who may write in that folder, or set "
        + "BLOBLO_PASS_FILE."
    ])
    return ExitCode.failure
  }
}
