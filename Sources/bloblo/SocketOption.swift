import ArgumentParser
import FastCGI
import Operator
import Primitives

/// Where the running bloblo is.
struct SocketOption: ParsableArguments {
  @Option(
    help:
      "Where the running bloblo listens, as unix:/path or host:port; instead of BLOBLO_LISTEN_ADDR."
  )
  var socket: String?

  func validate() throws {
    if let socket, ListenAddress(socket) == nil {
      throw ValidationError("--socket: want unix:/path or host:port, got \"\(socket.printable)\"")
    }
  }

  func instance(_ environment: [String: String]) -> RunningInstance {
    RunningInstance(at: socket, environment)
  }
}
