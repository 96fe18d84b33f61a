internal import Synchronization

/// A road that locations share.
///
/// While the road works, a request takes no lock.
package final class RoadWatch: Sendable {
  /// How many clients' objects are noted between two looks: a look asks for the last ones only.
  private static var noteLimit: Int { 64 }

  private let road: Mutex<ClientRoad>
  private let isWell = Atomic(true)
  /// `Moment.steady`.
  private let lastUse = Atomic<Int64>(.min / 2)
  private let notesLeft = Atomic(noteLimit)
  /// Whether a client came back since the last look.
  private let hasReturns = Atomic(false)
  private let turns = Mutex(Turns())

  /// Looks for clients that come back: each takes a thread, and S3 charges for it.
  private struct Turns: Sendable {
    static let perSecond = 32
    static let limit = 8
    var second: Int64 = .min
    var count = 0
    var running = 0
  }

  package init(_ times: LookTimes = LookTimes()) { road = Mutex(ClientRoad(times)) }

  /// From now on: those of the location that looks.
  package func use(_ times: LookTimes) { road.withLock { $0.times = times } }

  /// Notes that a client is sent there, or would be if the road worked.
  package func use(_ stop: @autoclosure () -> ClientRoad.Stop, at now: Int64) {
    guard notesLeft.load(ordering: .relaxed) > 0 else { return }
    notesLeft.wrappingSubtract(1, ordering: .relaxed)
    let stop = stop()
    road.withLock { $0.use(stop, at: now) }
  }

  package func trouble(at now: Int64) -> String? {
    lastUse.store(now, ordering: .relaxed)
    return isWell.load(ordering: .relaxed) ? nil : change { $0.trouble(at: now) }
  }

  /// A client is asking again for bytes that it was just sent to: perhaps it did not get them.
  func noteReturn() { hasReturns.store(true, ordering: .relaxed) }

  /// Takes a turn to look for a client that came back; `endTurn` ends it.
  package func takeTurn(at now: Int64) -> Bool {
    turns.withLock { turns in
      if turns.second != now / 1000 { (turns.second, turns.count) = (now / 1000, 0) }
      guard turns.count < Turns.perSecond, turns.running < Turns.limit else { return false }
      turns.count += 1
      turns.running += 1
      return true
    }
  }

  package func endTurn() { turns.withLock { $0.running -= 1 } }

  /// Other objects that clients were sent to lately.
  package func stops(besides key: BlobKey) -> [ClientRoad.Stop] {
    road.withLock { $0.stops.filter { $0.key != key } }
  }

  /// Takes in what other looks have met at objects; see `ClientRoad.endLook`.
  package func hear(_ met: [(stop: ClientRoad.Stop?, outcome: ClientRoad.Outcome)])
    -> [ClientRoad.Stop]
  {
    change { $0.hear(met) }
  }

  private func change<Result: Sendable>(_ body: (inout sending ClientRoad) -> Result) -> Result {
    road.withLock { road in
      let result = body(&road)
      isWell.store(road.isWell, ordering: .relaxed)
      return result
    }
  }

  /// The objects to look at, if a look is due, which begins; none when no client was sent there yet.
  package func beginLook(at now: Int64) -> [ClientRoad.Stop]? {
    change { road in
      road.noteUse(at: lastUse.load(ordering: .relaxed))
      let hasReturns = hasReturns.load(ordering: .relaxed)
      guard road.isLookDue(at: now, hasReturns: hasReturns) else { return nil }
      self.hasReturns.store(false, ordering: .relaxed)
      let stops = road.beginLook(at: now)
      notesLeft.store(Self.noteLimit, ordering: .relaxed)
      return stops
    }
  }

  package func endLook(_ met: [(stop: ClientRoad.Stop?, outcome: ClientRoad.Outcome)])
    -> [ClientRoad.Stop]
  {
    change { $0.endLook(met) }
  }

  package var state: ClientRoad.State { road.withLock { $0.state } }
  package var hasWorked: Bool { road.withLock { $0.hasWorked } }
}
