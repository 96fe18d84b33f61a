import Fill
import Offload
import Primitives
import S3
import Threading

/// All that the pages show: where it is found, and nothing that is computed ahead.
struct Operation: Sendable {
  let ledger: Ledger
  let health: Health
  let notices: Notices
  let frontFiles: FrontFiles
  let history: History
  let locations: Locations
  let answers: AnswerMemory
  let filler: Filler
  let credentials: SigningCredentials
  let pools: @Sendable () -> [(name: String, load: ThreadPoolLoad)]
  /// Questions to registries: on the wire, and in line.
  let questions: @Sendable () -> (onWire: Int, waiting: Int)
  /// In force, secrets redacted, by name.
  let settings: [SettingInForce]
  /// What is set and probably meant otherwise.
  let warnings: [String]
  let start: UnixTime
  let volume: LogVolume

  var figures: Figures { ledger.figures }

  var memories: [(name: String, counts: MemoryCounts)] {
    locations.memoryCounts + [("answer", answers.counts)]
  }

  /// What the credential has left, in seconds: 0 when there is none, `nil` for one without end.
  func credentialSeconds(at now: UnixTime) -> Int64? {
    let time = credentials.clock.time(at: now)
    guard let held = credentials.store.current(at: time) else { return 0 }
    return held.credential.expiration.map { $0 - time }
  }
}
