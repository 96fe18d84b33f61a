/// When a reading goes on over another connection, and when it has failed.
///
/// Only the rules: who owns connections, threads and the clock asks for the next step and reports what came of it.
/// An old connection stays open until a newer one has brought new bytes; the first that does leads from then on.
struct ReadingPlan: Sendable {
  typealias Instant = ContinuousClock.Instant

  enum Step: Sendable, Equatable {
    /// A connection is to be opened, and to ask for what the spool lacks.
    case open
    case wait(until: Instant)
    case fail(FillError)
  }

  /// How often it goes on over a new connection without any progress.
  static let tries = 3
  /// How long it stands still before each of these tries.
  static let stalls: [Duration] = [.seconds(5), .seconds(20), .seconds(60)]
  /// How long it waits when no connection is left, before each of these tries.
  static let pauses: [Duration] = [.milliseconds(200), .seconds(1), .seconds(3)]
  /// As long as the web server in front of a registry would wait.
  static let silence = Duration.seconds(900)
  /// New bytes that are a new beginning: tries are counted from there.
  static let freshBytes: Int64 = 1 << 20

  /// Bytes that are in the spool.
  private(set) var offset: Int64 = 0
  private(set) var lead = 0
  private var live: Set<Int> = []
  private var count = 0
  /// Ends of connections so far, and the beginning: a waiting thread compares.
  private(set) var changes = 0
  private var retries = 0
  private var retriedAt: Int64 = 0
  private(set) var isBegun = false
  private var isRefused = false
  private var pace: FillPace
  private var lastByte: Instant
  private var pauseEnd: Instant
  private var failure: FillError?

  init(at now: Instant) {
    pace = FillPace(at: now)
    lastByte = now
    pauseEnd = now
  }

  func step(at now: Instant) -> Step {
    guard count > 0 else { return .open }
    guard let due = nextTry else {
      if live.isEmpty { return .fail(failure ?? .upstream("no answer")) }
      return now - lastByte > Self.silence ? .fail(.silent) : .wait(until: lastByte + Self.silence)
    }
    if now >= due { return .open }
    return now - lastByte > Self.silence ? .fail(.silent) : .wait(until: due)
  }

  /// When a new connection is opened, as things are; `nil` for never.
  private var nextTry: Instant? {
    // Who has seen no byte yet is passed on: the registry answers.
    guard isBegun, !isRefused, retries < Self.tries else { return nil }
    return live.isEmpty ? pauseEnd : max(pauseEnd, pace.since + Self.stalls[retries])
  }

  /// - Returns: the new connection's number.
  mutating func open(at now: Instant) -> Int {
    let number = count
    count += 1
    live.insert(number)
    if number > 0 {
      if offset - retriedAt >= Self.freshBytes { retries = 0 }
      retries += 1
      retriedAt = offset
    }
    return number
  }

  /// Upstream has answered with the blob.
  ///
  /// - Parameter isResumable: whether another connection may bring the rest.
  mutating func begin(isResumable: Bool = true, at now: Instant) {
    isBegun = true
    if !isResumable { isRefused = true }
    changes += 1
    lastByte = now
    pace.restart(at: offset, now: now)
  }

  /// Whether this connection may go on: the one that leads, and the newest.
  func isWanted(_ number: Int) -> Bool { number == lead || number > lead && number == count - 1 }

  /// New bytes are in the spool.
  mutating func advance(to offset: Int64, by number: Int, at now: Instant) {
    self.offset = offset
    lastByte = now
    if number > lead {
      lead = number
      pace.restart(at: offset, now: now)
    } else {
      pace.advance(to: offset, at: now)
    }
    if offset - retriedAt >= Self.freshBytes { retries = 0 }
  }

  /// A newer connection has brought bytes that are there already, on its way to those that are not.
  mutating func approach(by number: Int, at now: Instant) {
    if number > lead { pace.restart(at: offset, now: now) }
  }

  /// A connection has ended, and the blob is not whole.
  ///
  /// - Parameter isRefusal: the credential is not taken any more: there is no use in another try.
  mutating func end(_ number: Int, _ error: FillError, isRefusal: Bool, at now: Instant) {
    live.remove(number)
    changes += 1
    guard isWanted(number) else { return }
    failure = error
    if isRefusal { isRefused = true }
    pauseEnd = now + Self.pauses[min(retries, Self.pauses.count - 1)]
  }
}

extension FillError {
  fileprivate static let silent = FillError.upstream("no byte in \(ReadingPlan.silence)")
}
