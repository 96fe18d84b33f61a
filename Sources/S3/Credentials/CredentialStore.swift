internal import HTTPTransport
package import Primitives
internal import Synchronization
internal import System
internal import Threading

/// The credential that holds now, kept fresh by a thread of its own: a request never waits for one.
///
/// While fetching fails, the old credential serves as long as it lives; after that there is none.
package final class CredentialStore: Sendable {
  /// A credential and its generation: signers and URLs that were made with it hold until the generation changes.
  ///
  /// No two credentials of a store have the same generation, also when there was none in between.
  package struct Held: Sendable {
    package let credential: Credential
    package let source: String
    package let generation: Int
  }

  private struct State {
    /// Someone wants a fresh one at once.
    var isWanted = false
    var isStopped = false
  }

  private struct Keeping {
    var held: Held?
    /// Of the credential obtained last. It outlives `held`, so that it only rises.
    var generation = 0
  }

  /// Seconds between two looks at the watched files.
  static let watchInterval: Int64 = 2

  private let chain: CredentialChain?
  private let observer: (any CredentialObserver)?
  private let clock: @Sendable () -> UnixTime
  private let keeping: Mutex<Keeping>
  private let state = Monitor(State())

  /// - Parameter clock: the time that ends of credentials are compared with, S3's if it is known.
  package init(
    _ chain: CredentialChain, observer: any CredentialObserver,
    clock: @escaping @Sendable () -> UnixTime = { .now() }
  ) {
    self.chain = chain
    self.observer = observer
    self.clock = clock
    keeping = Mutex(Keeping())
  }

  /// One credential for good.
  package init(_ credential: Credential, source: String = "settings") {
    chain = nil
    observer = nil
    clock = { .now() }
    keeping = Mutex(
      Keeping(held: Held(credential: credential, source: source, generation: 1), generation: 1))
  }

  /// The credential, unless it has ended.
  package func current(at now: UnixTime) -> Held? {
    keeping.withLock { keeping in
      guard let held = keeping.held, !held.credential.isExpired(at: now) else { return nil }
      return held
    }
  }

  /// Fetches the first credential on the calling thread, then starts the one that keeps it fresh.
  ///
  /// - Returns: what the first fetching came to. After `.failed` with `.unavailable` it goes on; after
  ///   `.absent` and `.misconfigured` it does not.
  package func start() -> CredentialChain.Outcome {
    guard let chain else { return .absent([]) }
    var http = HTTPClient()
    let outcome = chain.load(over: &http, now: clock())
    var round = Round(files: chain.watchedFiles)
    switch outcome {
    case .found(let credential, let source):
      round.end(keep(credential, source), at: clock())
    case .failed(let error) where error.kind == .unavailable:
      round.fail(at: clock())
      observer?.failed(error.description, lifeLeft: nil)
    case .failed, .absent: return outcome
    }
    let first = round
    if first.isOfUse { Thread.start("credentials") { self.run(first) }?.detach() }
    return outcome
  }

  package func stop() { state.update { $0.isStopped = true } }

  /// S3 has refused what was signed with this credential, perhaps because it has ended.
  package func invalidate(_ generation: Int) {
    guard chain != nil, keeping.withLock({ $0.held?.generation == generation }) else { return }
    state.update { $0.isWanted = true }
  }

  // MARK: the thread

  private func run(_ first: Round) {
    var http = HTTPClient()
    var round = first
    while true {
      let call = state.wait(for: round.pause(at: clock())) { state in
        state.isStopped ? Call.stop : state.isWanted ? Call.refresh : nil
      }
      if call == .stop { return }
      tellEnd()
      guard round.isDue(at: clock(), isWanted: call == .refresh) else {
        // Wanted again so soon: not before the pause is over.
        if call == .refresh { state.withLock { $0.isWanted = false } }
        continue
      }
      state.withLock { $0.isWanted = false }
      refresh(&round, &http)
    }
  }

  private func refresh(_ round: inout Round, _ http: inout HTTPClient) {
    guard let chain else { return }
    round.look()
    switch chain.load(over: &http, now: clock()) {
    case .found(let credential, let source): round.end(keep(credential, source), at: clock())
    case .failed(let error): fail(&round, error.description)
    case .absent(let reasons): fail(&round, reasons.joined(separator: "; "))
    }
  }

  private func fail(_ round: inout Round, _ words: String) {
    let end = keeping.withLock { $0.held?.credential }
    round.fail(at: clock())
    observer?.failed(words, lifeLeft: end.map { $0.expiration.map { $0 - clock() } ?? .max })
  }

  private func keep(_ credential: Credential, _ source: String) -> Credential {
    let isNew = keeping.withLock { keeping in
      let isNew = keeping.held?.credential != credential || keeping.held?.source != source
      if isNew {
        keeping.generation += 1
        keeping.held = Held(
          credential: credential, source: source, generation: keeping.generation)
      }
      return isNew
    }
    if isNew {
      observer?.obtained(
        accessKeyID: credential.accessKeyID, source: source,
        lifeLeft: credential.expiration.map { $0 - clock() })
    }
    return credential
  }

  /// Says once that the credential has ended.
  private func tellEnd() {
    let now = clock()
    let ended = keeping.withLock { keeping -> Held? in
      guard let ended = keeping.held, ended.credential.isExpired(at: now) else { return nil }
      keeping.held = nil
      return ended
    }
    if let ended { observer?.ended(accessKeyID: ended.credential.accessKeyID) }
  }
}

private enum Call {
  case stop, refresh
}

/// What the thread knows between two fetchings.
private struct Round {
  private let files: [String]
  private var stamps: [SmallFile.Stamp]
  private var due: UnixTime?
  private var lastTry: UnixTime?
  private var failures = 0
  private var retryAt = ContinuousClock.now

  init(files: [String]) {
    self.files = files
    stamps = files.map { SmallFile.Stamp($0) }
  }

  /// Whether there is anything to keep fresh.
  var isOfUse: Bool { due != nil || failures > 0 || !files.isEmpty }

  mutating func look() { stamps = files.map { SmallFile.Stamp($0) } }

  mutating func end(_ credential: Credential, at now: UnixTime) {
    failures = 0
    lastTry = now
    due = credential.expiration.map {
      RefreshPlan.due(expiration: $0, obtained: now, chance: .random(in: 0...1))
    }
    // What comes with little life left, or none, is what the source has: it is not asked without end.
    if let end = due, end <= now { due = now + 5 }
  }

  mutating func fail(at now: UnixTime) {
    failures += 1
    lastTry = now
    retryAt = .now + RefreshPlan.pause(failures: failures, chance: .random(in: 0...1))
  }

  func pause(at now: UnixTime) -> Duration {
    if failures > 0 { return max(.zero, retryAt - .now) }
    // No longer than a minute: the wall clock may be set meanwhile.
    let untilDue = due.map { max(1, $0 - now) } ?? 60
    return .seconds(min(untilDue, files.isEmpty ? 60 : CredentialStore.watchInterval))
  }

  /// - Parameter isWanted: at most once in 5 s.
  func isDue(at now: UnixTime, isWanted: Bool) -> Bool {
    if failures > 0 { return retryAt <= .now }
    if isWanted, lastTry.map({ now - $0 >= 5 || now < $0 }) ?? true { return true }
    if let due, due <= now { return true }
    return files.map({ SmallFile.Stamp($0) }) != stamps
  }
}
