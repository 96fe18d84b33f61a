import ArgumentParser
import FastCGI
import Operator
import System

/// Asks the running bloblo whether it works, for a container's health check.
struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Ask the running bloblo whether it takes requests.",
    discussion: """
      Sends one request to the bloblo at BLOBLO_LISTEN_ADDR and ends with 0 when it answers, else with 1. With --ready \
      bloblo must also be able to offload now: use that for an alert. A probe that takes pods out of service must not \
      use it, since every pod fails it when S3 fails.

      Example: bloblo health
      """)

  @Flag(help: "Ask also whether bloblo can offload now.")
  var ready = false

  @OptionGroup var running: SocketOption
  @OptionGroup var file: EnvironmentFileOption

  func run() throws {
    let instance = running.instance(try file.environment())
    do {
      let (isWell, text) = try instance.health(asksReady: ready)
      print(text)
      if !isWell { throw ExitCode.failure }
    } catch let failure as FastCGICall.Failure {
      complain(["bloblo: no answer at \(instance.address): \(failure)"])
      throw ExitCode.failure
    }
  }
}
