import FastCGI
import Gateway
import Logging
import Operator
import Settings
import Store
import Telemetry
import Threading

/// All that serves, built in the order in which one part needs another, started in that order, and stopped in
/// its reverse.
struct Server {
  let responder: Responder
  let locations: Locations
  private let settings: ProcessSettings
  private let log: Log
  let address: ListenAddress
  private let health = Health()
  private let handler: BlobHandler
  /// The background services, each on a thread of its own.
  private let background: [any BackgroundService]

  /// - Parameter credentials: already started.
  init(
    _ settings: ProcessSettings, credentials: SigningCredentials, environment: [String: String],
    log: Log, on listener: consuming Listener
  ) {
    self.settings = settings
    self.log = log
    address = listener.address
    let loop = EventLoop()
    let isTCP = listener.isTCP
    let services = GatewayServices(
      settings, credentials: credentials, environment: environment, log: log, on: loop, isTCP: isTCP
    )
    services.notices.raise(startingWith: settings, tcp: isTCP ? address : nil)
    let pages = Pages(
      operation: Operation(
        services, health: health, credentials: credentials, settings: settings, volume: log.volume))
    let handler = BlobHandler(
      services,
      routes: [
        CheckPage(),
        Control(
          purges: services.purges, locations: services.locations, filler: services.tee.filler),
        pages,
      ])
    let checker = HealthChecker(
      health: health, location: services.locations.standard, credentials: credentials,
      filler: services.tee.filler, logger: log.logger, notices: services.notices)
    self.handler = handler
    locations = services.locations
    responder = Responder(listener, on: loop, handler: handler)
    let rounds = PeriodicService("probe", every: HealthChecker.interval, logger: log.logger) { _ in
      checker.check()
      handler.tick()
      pages.tick()
    }
    background =
      [rounds, services.offloading]
      + checker.looks(settings, services: services, logger: log.logger)
      + [Sweeper(services.locations, olderThan: settings.sweepAge, log.logger)]
  }

  /// - Returns: `false` when the system can't create the thread that answers.
  func start() -> Bool {
    guard responder.start() else { return false }
    for each in background { each.start() }
    return true
  }

  /// - Returns: whether all requests in flight were finished within `BLOBLO_STOP_TIMEOUT`.
  func stop() -> Bool {
    health.beginStop()
    for each in background.reversed() { each.stop() }
    let isDone = responder.stop(within: settings.stopTimeout)
    handler.stop(within: settings.stopTimeout)
    return isDone
  }
}
