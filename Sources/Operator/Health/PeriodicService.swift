package import HTTPTransport
package import Logging
internal import Threading

/// A background service that calls a function every few moments until it is stopped.
package final class PeriodicService: BackgroundService {
  private let name: StaticString
  private let pause: Duration
  private let logger: Logger
  private let round: @Sendable (inout HTTPClient) -> Void
  private let isStopped = Monitor(false)

  package init(
    _ name: StaticString, every pause: Duration, logger: Logger,
    _ round: @escaping @Sendable (inout HTTPClient) -> Void
  ) {
    self.name = name
    self.pause = pause
    self.logger = logger
    self.round = round
  }

  package func start() {
    let thread = Thread.start("\(name)") { [self] in
      var http = HTTPClient()
      repeat { round(&http) } while isStopped.wait(for: pause) { $0 ? true : nil } == nil
    }
    guard let thread else {
      return logger.error(
        "cannot create a thread",
        metadata: ["thread": "\(name)", "advice": "start bloblo again"])
    }
    thread.detach()
  }

  package func stop() { isStopped.update { $0 = true } }
}
