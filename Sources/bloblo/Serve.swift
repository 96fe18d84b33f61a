import ArgumentParser
import FastCGI
import Gateway
import Glibc
import Logging
import Operator
import Settings
import Store
import System
import Telemetry

/// Answers FastCGI requests until a signal stops it.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer FastCGI requests (the default).",
    discussion: """
      Listens where BLOBLO_LISTEN_ADDR says, or on the socket it was started with (spawn-fcgi, systemd). \
      SIGTERM and SIGINT: no new requests, those in flight are finished within BLOBLO_STOP_TIMEOUT; a second one \
      ends it at once. SIGHUP: the file of settings, authorities and CloudFront's key are read again.

      Example: spawn-fcgi -n -s /run/bloblo.sock -- /usr/bin/bloblo serve
      """)

  @OptionGroup var file: EnvironmentFileOption

  func run() throws {
    // Before any thread starts: threads inherit the mask, and the signals wait for sigwait below.
    let signals = StopSignals()
    let (environment, file) = try file.read()
    let settings: ProcessSettings
    do {
      settings = try ProcessSettings(environment: environment)
    } catch {
      complain(error.lines(environment))
      throw ExitCode(EX_CONFIG)
    }
    if settings.areCoreFilesAllowed { CoreFiles.allow() }
    let log = Log(level: settings.logLevel, format: settings.logFormat)
    let logger = log.logger
    Capacity.widen(forUpstreamConnections: settings.upstreamConnections, logger)
    let start = StartLog(settings, logger)
    start.tellSettings(of: environment, from: file)
    let credentials = SigningCredentials(settings.credentials)
    do {
      try credentials.start(tellingTo: CredentialLog(logger: logger))
    } catch {
      complain(error.problems.map { "bloblo: \($0)" })
      throw ExitCode(EX_CONFIG)
    }
    let listener = try listen(settings, environment)
    let server = Server(
      settings, credentials: credentials, environment: environment, log: log, on: listener)
    guard server.start() else {
      complain(["bloblo: cannot create a thread"])
      throw ExitCode(EX_OSERR)
    }
    start.tellListening(on: server.address)
    let manager = ServiceManager(environment)
    manager?.tell("READY=1\nSTATUS=answers on \(server.address)")
    let reload = Reload(
      environment: environment, path: file?.path, log: log, locations: server.locations)
    let signal = waitForStop(
      signals, manager: manager, responder: server.responder, log: log, reload: reload)
    signals.watchForSecond { signal in
      logger.warning("stopped at once", metadata: ["signal": "\(signal)"])
      exitNow(EX_OK)
    }
    manager?.tell("STOPPING=1")
    logger.info("stopping", metadata: ["signal": "\(signal)"])
    let isDone = server.stop()
    logger.info("stopped", metadata: ["in-flight": isDone ? "finished" : "cut off"])
  }

  /// Waits for a signal to stop. Meanwhile it sends watchdog pings as long as the reactor takes events, so that the
  /// service manager restarts a process that hangs. SIGUSR1 makes the log say more, SIGUSR2 less.
  private func waitForStop(
    _ signals: StopSignals, manager: ServiceManager?, responder: Responder, log: Log,
    reload: Reload
  ) -> String {
    let interval = manager?.watchdogInterval.map { $0 / 3 }
    return signals.wait(every: interval) { event in
      switch event {
      case .sighup: reload.run()
      case .sigusr1:
        log.volume.moreVerbose()
        log.tellLevel()
      case .sigusr2:
        log.volume.lessVerbose()
        log.tellLevel()
      case .time:
        guard let manager, let interval else { return }
        if responder.isResponsive(within: interval) {
          manager.tell("WATCHDOG=1")
        } else {
          log.logger.error("the event loop is unresponsive; no watchdog ping is sent")
        }
      }
    }
  }

  /// The socket that bloblo was started with, or a new one.
  private func listen(_ settings: ProcessSettings, _ environment: [String: String]) throws
    -> Listener
  {
    let address = ListenAddress(inheritedBy: environment) ?? settings.listenAddress
    do {
      return try Listener(address, mode: settings.listenMode, group: settings.listenGroup)
    } catch {
      complain(["bloblo: can't listen: BLOBLO_LISTEN_ADDR: \(error)"])
      throw ExitCode(EX_UNAVAILABLE)
    }
  }
}
