/// The way from clients to objects: the bucket, its public endpoint or CloudFront, and the key that signs. It is
/// judged by a GET of one byte, as a client sends it.
package struct ClientRoad: Sendable {
  /// What such a GET met.
  package enum Outcome: Sendable, Equatable {
    case good
    /// The object is absent, can't be read, or is another one than before: the object is at fault.
    case objectGone
    /// An answer that is no object: a refusal, or trouble of the server. With another object it may be
    /// otherwise, unless it is about the key that signed.
    case bad(String, isOfKey: Bool)
    /// No answer: not reached, no valid certificate, nothing in time.
    case unreachable(String)
  }

  package enum State: Sendable, Equatable {
    case unknown, good
    case bad(String)
  }

  /// An object that clients were sent to.
  package struct Stop: Sendable, Equatable {
    package let key: BlobKey
    package let size: Int64

    package init(key: BlobKey, size: Int64) {
      self.key = key
      self.size = size
    }
  }

  /// Between two looks while clients are sent there, in milliseconds.
  private static var pause: Int64 { 1000 }
  /// The same, when a client has come back for bytes that it was just sent to.
  private static var pauseAfterReturn: Int64 { 150 }
  /// How long after its last use a road counts as used.
  private static var useTime: Int64 { 10_000 }
  private static var stopLimit: Int { 4 }

  package private(set) var state = State.unknown
  /// Whether a look has ever found it good.
  package private(set) var hasWorked = false
  /// The last first.
  package private(set) var stops: [Stop] = []
  /// An object that was refused when there was no other to compare it with.
  private var doubt: BlobKey?
  /// All `Moment.steady`.
  private var lastUse: Int64 = .min / 2
  private var lastLook: Int64 = .min / 2
  private var lookStart: Int64?
  /// Which of the stops the next look begins with.
  private var turn = 0

  /// How long a look may take.
  var times: LookTimes

  package init(_ times: LookTimes = LookTimes()) { self.times = times }

  /// A client is sent by it.
  package mutating func use(_ stop: Stop, at now: Int64) {
    lastUse = now
    guard stops.first?.key != stop.key else { return }
    stops.removeAll { $0.key == stop.key }
    if stops.count >= Self.stopLimit { stops.removeLast() }
    stops.insert(stop, at: 0)
  }

  /// Why bloblo sends no client there now; `nil` when the road works.
  package mutating func trouble(at now: Int64) -> String? {
    lastUse = now
    if case .bad(let words) = state { return words }
    guard let lookStart, now - lookStart > times.suspicion else { return nil }
    return "no answer yet, for more than \(times.suspicion / 1000) s"
  }

  /// Whether bloblo may send clients there.
  var isWell: Bool { if case .bad = state { false } else { lookStart == nil } }

  /// A client would be sent by it.
  mutating func noteUse(at now: Int64) { lastUse = max(lastUse, now) }

  /// - Parameter hasReturns: whether a client came back since the last look.
  package func isLookDue(at now: Int64, hasReturns: Bool = false) -> Bool {
    guard now - lastLook >= (hasReturns ? Self.pauseAfterReturn : Self.pause) else { return false }
    return state != .good || now - lastUse < Self.useTime
  }

  /// - Returns: the objects to look at. Each look begins with another, so that one which clients can't read is
  ///   found though others are newer.
  @discardableResult
  package mutating func beginLook(at now: Int64) -> [Stop] {
    lastLook = now
    lookStart = now
    guard !stops.isEmpty else { return [] }
    let first = turn % stops.count
    turn = first + 1
    return Array(stops[first...] + stops[..<first])
  }

  /// Ends a look by what was met at these objects, one after the other, each another.
  ///
  /// - Returns: the objects that clients can't read though the road works.
  package mutating func endLook(_ met: [(stop: Stop?, outcome: Outcome)]) -> [Stop] {
    lookStart = nil
    return hear(met)
  }

  /// The same, for a look other than the road's own.
  package mutating func hear(_ met: [(stop: Stop?, outcome: Outcome)]) -> [Stop] {
    for (_, outcome) in met {
      if case .unreachable(let words) = outcome {
        state = .bad(words)
        return []
      }
    }
    if met.contains(where: { $0.outcome == .good }) {
      state = .good
      hasWorked = true
      doubt = nil
    } else if let words = troubleOfAll(met) {
      state = .bad(words)
      return []
    } else if met.contains(where: { $0.outcome == .objectGone }) {
      // A signature was accepted there.
      state = .good
      hasWorked = true
    }
    let unreadable = met.filter { $0.outcome != .good }.compactMap(\.stop)
    stops.removeAll { stop in unreadable.contains { $0.key == stop.key } }
    return unreadable
  }

  /// Whether a look at another object is needed to tell whether road or object is at fault.
  package static func needsAnother(_ outcome: Outcome) -> Bool {
    switch outcome {
    case .good, .unreachable: false
    case .objectGone: true
    case .bad(_, let isOfKey): !isOfKey
    }
  }

  /// The road is at fault after two objects in a row, or after one if there is no other to compare it with and the
  /// key or the server is the reason.
  private mutating func troubleOfAll(_ met: [(stop: Stop?, outcome: Outcome)]) -> String? {
    var words: [String] = []
    var refused = Set(doubt.map { [$0] } ?? [])
    for (stop, outcome) in met {
      guard case .bad(let text, let isOfKey) = outcome else { continue }
      if isOfKey { return text }
      words.append(text)
      if let stop { refused.insert(stop.key) }
    }
    guard let last = words.last else { return nil }
    if doubt == nil { doubt = refused.first }
    let isTroubleOfServer = met.count == 1 && last.hasPrefix("status 5")
    return refused.count >= 2 || isTroubleOfServer ? last : nil
  }
}
