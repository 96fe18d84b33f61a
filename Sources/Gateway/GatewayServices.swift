internal import Fill
package import HTTPTransport
internal import Logging
internal import Offload
package import Settings
package import Store
package import Telemetry
package import Threading

/// All that answers requests, built in the order in which one part needs another.
package struct GatewayServices: Sendable {
  /// The loop on whose thread alone requests are handled.
  let loop: EventLoop
  package let upstream: QuestionClient
  package let notices: Notices
  package let passAlarm: PassAlarm
  package let frontFiles: FrontFiles
  package let offloading: OffloadSwitch
  let frontServer: WebServer
  let fingerprinter: Fingerprinter
  package let recorder: RequestRecorder
  package let locations: Locations
  let passer: Passer
  package let tee: Tee
  let severalRanges: SeveralRanges
  package let pingAndToken: PingAndToken
  package let purges: Purges
  let asking: ThreadPool<HTTPClient>
  let looking: FairPool<HTTPClient>

  /// - Parameter isTCP: whether bloblo listens on TCP, where any local user can connect and set params.
  package init(
    _ settings: ProcessSettings, credentials: SigningCredentials, environment: [String: String],
    log: Log, on loop: EventLoop, isTCP: Bool = false
  ) {
    self.loop = loop
    upstream = QuestionClient(loop, connectionLimit: settings.upstreamConnections)
    notices = Notices(log.logger)
    passAlarm = PassAlarm(log.logger)
    frontFiles = FrontFiles(notices)
    offloading = OffloadSwitch(file: settings.passFile, notices)
    frontServer = settings.frontServer
    fingerprinter = Fingerprinter(settings.proofIdentity)
    recorder = RequestRecorder(log.logger, log.volume)
    locations = Locations(
      settings, credentials, environment: environment,
      rule: ParamRule(named: settings.params, isTCP: isTCP), log: recorder.log)
    passer = Passer(settings, recorder: recorder, locations: locations)
    tee = Tee(settings, logger: log.logger, recorder: recorder, passer: passer, on: loop)
    severalRanges = SeveralRanges(settings, recorder: recorder, passer: passer)
    pingAndToken = PingAndToken(
      cache: ResponseCache(longest: settings.answerLife), fingerprinter: fingerprinter,
      frontServer: settings.frontServer)
    purges = Purges(locations)
    asking = ThreadPool(
      name: "ask", threadLimit: settings.threads, queueLimit: settings.threads * 4
    ) { HTTPClient() }
    let looking = ThreadPool(
      name: "look", threadLimit: settings.threads, queueLimit: 1 << 16
    ) { HTTPClient() }
    // A bucket that answers late leaves an eighth of the threads to the others.
    self.looking = FairPool(looking, limit: max(1, settings.threads * 7 / 8))
  }

  /// Threads and queues, by the pool's name.
  package var loads: [(name: String, load: ThreadPoolLoad)] {
    [
      ("ask", asking.load), ("look", looking.load), ("relay", passer.relaying.load),
      ("ranges", severalRanges.pool.load),
      ("fill", tee.filler.readerLoad), ("hash", tee.filler.hasherLoad),
      ("upload", tee.filler.uploaderLoad),
    ]
  }
}
