internal import Fill
package import Gateway
internal import HTTPTransport
internal import Offload
internal import Primitives
internal import S3
package import Settings
package import Store
package import Telemetry
internal import Threading

/// The sources of all that the pages show. Nothing is computed ahead.
package struct Operation: Sendable {
  let recorder: RequestRecorder
  let health: Health
  let notices: Notices
  let passAlarm: PassAlarm
  let frontFiles: FrontFiles
  let history: History
  let latencies: Latencies
  let locations: Locations
  let answers: ResponseCache
  let filler: Filler
  let credentials: SigningCredentials
  private let services: GatewayServices
  /// The settings in force, by name, with secrets redacted.
  let settings: [SettingInForce]
  /// Settings that are probably a mistake.
  let warnings: [String]
  let start: UnixTime
  let volume: LogLevelControl

  package init(
    _ services: GatewayServices, health: Health, credentials: SigningCredentials,
    settings: ProcessSettings, volume: LogLevelControl
  ) {
    self.services = services
    self.health = health
    self.credentials = credentials
    self.volume = volume
    recorder = services.recorder
    notices = services.notices
    passAlarm = services.passAlarm
    frontFiles = services.frontFiles
    locations = services.locations
    answers = services.pingAndToken.cache
    filler = services.tee.filler
    history = History(at: .now())
    latencies = Latencies(services.recorder.metrics, at: .now())
    self.settings = settings.inForce
    warnings = settings.warnings
    start = .now()
  }

  var pools: [(name: String, load: ThreadPoolLoad)] { services.loads }

  /// Questions to registries: on the wire, and in line.
  var questions: (onWire: Int, waiting: Int) { services.upstream.load }

  var metrics: Metrics { recorder.metrics }

  /// Adds the counters' new values to the history.
  func takeHistory(at now: UnixTime) {
    history.take(metrics.bytes, at: now)
    latencies.take(at: now)
  }

  var caches: [(name: String, counts: CacheCounts)] {
    locations.cacheCounts + [("answer", answers.counts)]
  }

  /// The seconds until the credential ends: 0 without a credential, `nil` for one without end.
  func credentialSeconds(at now: UnixTime) -> Int64? {
    let time = credentials.clock.time(at: now)
    guard let held = credentials.store.current(at: time) else { return 0 }
    return held.credential.expiration.map { $0 - time }
  }
}
