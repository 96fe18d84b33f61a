import ArgumentParser
import Gateway
import Settings
import System

/// Switches offloading off and on.
struct Offload: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Switch offloading off or on, or show its state.",
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
    let path = reader.value(Declared.passFile)
    if let state, let problem = OffloadSwitch.set(path, isOff: state == .off) {
      complain(["bloblo: \(problem)"])
      throw ExitCode.failure
    }
    let isOff = OffloadSwitch.isThere(path)
    print(isOff ? "off: \(path) exists, so every blob passes" : "on: there is no \(path)")
  }
}
