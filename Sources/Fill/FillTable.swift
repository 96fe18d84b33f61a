internal import Primitives
internal import Threading

/// The fills that wait or run now, one for each key: those who come later read along.
final class FillTable: Sendable {
  enum Finding: Sendable {
    case fill(BlobFill)
    /// It has ended well, a moment ago: who asks has not heard yet that the object is there.
    case published
    /// There was none, and none was made.
    case none
  }

  private struct Entry {
    let fill: BlobFill
    let request: SingleUseRequest
    let credentialEnd: UnixTime?
  }

  private struct State {
    var entries: [String: Entry] = [:]
    /// When the last fills ended well.
    var published: [String: ContinuousClock.Instant] = [:]
    var isCancelled = false
  }

  /// For how long someone may still act on having found the object absent: S3's answer may take some
  /// seconds, and is remembered for some.
  private static let memory = Duration.seconds(10)
  /// The same for those who have looked since, and not found it: a bucket may show an object a moment late.
  private static let memoryOfMissed = Duration.seconds(1)

  private let state = Monitor(State())

  /// The fill of `name` that is there, or the one that `start` makes.
  ///
  /// - Parameters:
  ///   - request: of the one that is made.
  ///   - credentialEnd: of what is in it.
  ///   - isMissed: whether the object was not found after the last fill of it had ended well.
  func find(
    _ name: String, _ request: SingleUseRequest, credentialEnd: UnixTime? = nil,
    isMissed: Bool = false,
    orStart start: () -> BlobFill?
  ) -> Finding {
    let memory = isMissed ? Self.memoryOfMissed : Self.memory
    return state.withLock { state in
      if let running = state.entries[name] { return .fill(running.fill) }
      if let end = state.published[name], ContinuousClock.now - end < memory {
        return .published
      }
      guard let fill = start() else { return .none }
      state.entries[name] = Entry(fill: fill, request: request, credentialEnd: credentialEnd)
      return .fill(fill)
    }
  }

  var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }

  var all: [BlobFill] { state.withLock { $0.entries.values.map(\.fill) } }

  func remove(_ name: String, isPublished: Bool) {
    state.update { state in
      state.entries[name] = nil
      guard isPublished else { return }
      let now = ContinuousClock.now
      state.published = state.published.filter { now - $0.value < Self.memory }
      state.published[name] = now
    }
  }

  /// Wipes the requests, and the credentials in them, of fills that wait for longer than `limit`, or than
  /// the credential lives.
  func dropRequests(waitingFor limit: Duration, at now: UnixTime) {
    let entries = state.withLock { Array($0.entries.values) }
    for entry in entries where entry.fill.isWaiting {
      let hasEnded = entry.credentialEnd.map { now >= $0 } ?? false
      if hasEnded || entry.fill.isOlder(than: limit) { entry.request.wipe() }
    }
  }

  func waitUntilEmpty(within limit: Duration) -> Bool {
    state.wait(for: limit) { $0.entries.isEmpty ? true : nil } ?? false
  }

  /// All fills are to end as soon as they can.
  func cancel() { state.update { $0.isCancelled = true } }

  var isCancelled: Bool { state.withLock { $0.isCancelled } }
}
