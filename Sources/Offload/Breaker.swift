internal import Synchronization

/// Decides whether a server may be asked. Any status is an answer. A server that gives no answer is left alone for a
/// while; so is a single `Unit` (a repository, an object) that gets no answer.
///
/// Source: Nygard, "Release It!", "Circuit Breaker".
package struct Breaker<Unit: Hashable & Sendable>: Sendable {
  package enum Outcome: Sendable {
    /// With any status.
    case answer
    /// Nothing was sent: refused, unreachable, no such name, TLS refused.
    case noConnection
    /// No answer in time, or a connection that broke.
    case noAnswer
  }

  /// How long a server, or a unit, is left alone before it is asked again, in milliseconds. Longer than a
  /// background look takes with its pause: while there are such looks no client is the one that asks.
  package static var rest: Int64 { 5000 }
  private static var longestRest: Int64 { 40_000 }
  /// Connections that fail in a row until the server is left alone.
  private static var connectionLimit: Int { 2 }
  /// Units that rest at a time, at most: with more the server is left alone anyway.
  private static var unitLimit: Int { 64 }

  private struct Rest: Sendable {
    var end: Int64
    var length: Int64
  }

  private var isServerBad = false
  private var serverRestEnd: Int64 = .min
  private var failedConnections = 0
  private var units: [Unit: Rest] = [:]
  /// Units that gave no answer since the server gave its last.
  private var silentUnits: Set<Unit> = []

  package init() {}

  /// Whether the server as a whole does not answer. The first request after a pause gets `false`, and asks.
  package mutating func isOpen(at now: Int64) -> Bool {
    guard isServerBad else { return false }
    guard now >= serverRestEnd else { return true }
    // This one asks; the others are kept back meanwhile.
    serverRestEnd = now + Self.rest
    return false
  }

  /// Whether the server as a whole does not answer; without a turn to ask.
  package func isResting(at now: Int64) -> Bool { isServerBad && now < serverRestEnd }

  /// Whether the server was found not to answer and has not answered since.
  package var isBad: Bool { isServerBad }

  /// Whether neither the server nor any unit of it rests.
  var isUntroubled: Bool { !isServerBad && units.isEmpty }

  /// Whether this unit may not be asked about now. The first request after a pause gets `false`, and asks.
  package mutating func isOpen(for unit: Unit, at now: Int64) -> Bool {
    if isOpen(at: now) { return true }
    guard let rest = units[unit] else { return false }
    guard now >= rest.end else { return true }
    units[unit]?.end = now + rest.length
    return false
  }

  package func isResting(_ unit: Unit, at now: Int64) -> Bool {
    isResting(at: now) || units[unit].map { now < $0.end } ?? false
  }

  /// - Parameter unit: what was asked about; `nil` for the server itself.
  package mutating func record(_ outcome: Outcome, of unit: Unit?, at now: Int64) {
    switch outcome {
    case .answer:
      isServerBad = false
      failedConnections = 0
      silentUnits.removeAll(keepingCapacity: true)
      if let unit, !units.isEmpty { units[unit] = nil }
    case .noConnection:
      failedConnections += 1
      if failedConnections >= Self.connectionLimit || unit == nil || isServerBad { open(at: now) }
    case .noAnswer:
      guard let unit else { return open(at: now) }
      rest(unit, at: now)
      silentUnits.insert(unit)
      if silentUnits.count >= 2 || isServerBad { open(at: now) }
    }
  }

  private mutating func open(at now: Int64) {
    isServerBad = true
    serverRestEnd = now + Self.rest
  }

  private mutating func rest(_ unit: Unit, at now: Int64) {
    if units.count >= Self.unitLimit, units[unit] == nil {
      units = units.filter { $0.value.end + Self.longestRest > now }
      guard units.count < Self.unitLimit else { return }
    }
    let length = units[unit].map { min($0.length * 2, Self.longestRest) } ?? Self.rest
    units[unit] = Rest(end: now + length, length: length)
  }
}

/// Whether a server answers, shared by all that use it.
package final class ServerWatch<Unit: Hashable & Sendable>: Sendable {
  /// An older answer says nothing about now, in milliseconds.
  private static var silence: Int64 { 3000 }

  private struct State: Sendable {
    var breaker = Breaker<Unit>()
    /// Since when a look waits by which all learn whether the server is there.
    var lookStart: Int64?
  }

  private let state = Mutex(State())
  /// When the server last answered, or was last asked by a client for want of news; `Moment.steady`.
  private let contact = Atomic<Int64>(.min / 2)
  /// When a request last needed the server.
  private let need = Atomic<Int64>(.min / 2)
  /// Whether nothing rests and no look waits: then a request takes no lock.
  private let isUntroubled = Atomic(true)
  /// `LookTimes.suspicion`, in milliseconds.
  private let suspicion = Atomic<Int64>(0)

  package init(_ times: LookTimes = LookTimes()) { use(times) }

  /// From now on: those of the location that looks.
  package func use(_ times: LookTimes) {
    suspicion.store(times.suspicion, ordering: .relaxed)
  }

  private func change<Result: Sendable>(_ body: (inout sending State) -> Result) -> Result {
    state.withLock { state in
      let result = body(&state)
      isUntroubled.store(
        state.breaker.isUntroubled && state.lookStart == nil, ordering: .relaxed)
      return result
    }
  }

  /// Whether requests can do without asking: the server or this unit is known not to answer, or a look has
  /// waited for `LookTimes.suspicion`.
  package func isKnownBad(_ unit: Unit, at now: Int64) -> Bool {
    need.store(now, ordering: .relaxed)
    if isUntroubled.load(ordering: .relaxed) { return false }
    return change { $0.breaker.isResting(unit, at: now) || isSuspect($0, at: now) }
  }

  private func isSuspect(_ state: State, at now: Int64) -> Bool {
    state.lookStart.map { now - $0 > suspicion.load(ordering: .relaxed) } ?? false
  }

  /// Whether this unit may not be asked about now; see `Breaker`.
  package func isOpen(for unit: Unit, at now: Int64) -> Bool {
    need.store(now, ordering: .relaxed)
    if isUntroubled.load(ordering: .relaxed) { return false }
    return change { isSuspect($0, at: now) || $0.breaker.isOpen(for: unit, at: now) }
  }

  /// Whether the server has not answered for a while, so that remembered objects don't show that it works.
  package func isSilent(at now: Int64) -> Bool {
    now - contact.load(ordering: .relaxed) > Self.silence
  }

  /// The same, and `true` for one caller, which then asks. If its question takes long, the other callers do not act
  /// as if the server worked.
  package func takeSilence(at now: Int64) -> Bool {
    change { state in
      guard isSilent(at: now) else { return false }
      contact.store(now, ordering: .relaxed)
      if state.lookStart == nil { state.lookStart = now }
      return true
    }
  }

  package func record(_ outcome: Breaker<Unit>.Outcome, of unit: Unit?, at now: Int64) {
    change { state in
      state.breaker.record(outcome, of: unit, at: now)
      state.lookStart = nil
      switch outcome {
      case .answer: contact.store(max(contact.load(ordering: .relaxed), now), ordering: .relaxed)
      case .noConnection, .noAnswer: contact.store(.min / 2, ordering: .relaxed)
      }
    }
  }

  // MARK: background looks

  /// Whether a background look is due: the server is known not to answer, or it is needed and has not been
  /// heard of for two seconds.
  package func isLookDue(at now: Int64) -> Bool {
    if isBad { return true }
    return now - need.load(ordering: .relaxed) < 10_000
      && now - contact.load(ordering: .relaxed) >= 2000
  }

  package func beginLook(at now: Int64) { change { $0.lookStart = now } }

  package func endLook(_ outcome: Breaker<Unit>.Outcome, at now: Int64) {
    record(outcome, of: nil, at: now)
  }

  package var isBad: Bool { state.withLock { $0.breaker.isBad } }
}
