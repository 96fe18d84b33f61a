package import HTTPTransport
internal import Registry
internal import Threading

/// One reading of a blob from upstream, and all clients that read along.
///
/// Clients come and go at their own pace, and S3 takes the bytes at its own. All meet only in the spool, which grows
/// from upstream and is read from its start by each.
final class BlobFill: Sendable {
  fileprivate struct State {
    var phase = Phase.asking
    /// Bytes in the spool.
    var written: Int64 = 0
    /// Of the whole blob, once it is known.
    var size: Int64?
    var followers = 0
    /// Called at the next change, once.
    var listeners: [@Sendable () -> Void] = []
    var hasTurn: Bool
    var pace: FillPace
  }

  fileprivate enum Phase {
    /// Upstream has not answered yet.
    case asking
    /// Bytes come into the spool, of a blob whose size only its end tells: nobody can read along.
    case measuring
    /// Bytes come into the spool, or all are there.
    case reading(HTTPResponseHead, Spool)
    /// No more will come, and the blob is not whole.
    case broken(FillError)
  }

  /// Who comes to a reading that has stood still for this long had better ask the registry.
  private static let stallLimit = Duration.seconds(4)

  let digest: Digest
  private let onAdvance: (@Sendable (Int64) -> Void)?
  private let start = ContinuousClock.now
  private let state: Monitor<State>

  /// - Parameters:
  ///   - size: `nil` when only upstream's answer will tell.
  ///   - hasTurn: `false` for one that waits in the queue.
  init(
    _ digest: Digest, size: Int64?, hasTurn: Bool = true,
    onAdvance: (@Sendable (Int64) -> Void)? = nil
  ) {
    self.digest = digest
    self.onAdvance = onAdvance
    state = Monitor(State(size: size, hasTurn: hasTurn, pace: FillPace(at: start)))
  }

  // MARK: for those who read along

  fileprivate func follow(_ change: Int) { state.withLock { $0.followers += change } }

  fileprivate func beginning(
    for follower: FillFollower, orWhenChanged listener: @escaping @Sendable () -> Void
  ) -> FillFollower.Beginning {
    state.withLock { state in
      switch state.phase {
      case .asking:
        state.listeners.append(listener)
        return .asking
      case .measuring: return .broken(.sizeless)
      case .reading(let head, let spool):
        return .reader(BlobReader(head: head, spool: spool, follower: follower))
      case .broken(let error): return .broken(error)
      }
    }
  }

  fileprivate func progress(
    beyond offset: Int64, orWhenChanged listener: @escaping @Sendable () -> Void
  ) -> BlobReader.Progress {
    state.withLock { state in
      if state.written > offset { return .available(upTo: state.written) }
      if case .broken = state.phase { return .broken }
      state.listeners.append(listener)
      return .waiting
    }
  }

  /// Tells those who wait in a thread, and those who listen.
  private func change<Outcome: Sendable>(_ body: (inout State) -> Outcome) -> Outcome {
    let (outcome, listeners) = state.update { state in
      let outcome = body(&state)
      defer { state.listeners = [] }
      return (outcome, state.listeners)
    }
    for listener in listeners { listener() }
    return outcome
  }

  fileprivate func reader(within limit: Duration, for follower: FillFollower) -> BlobReader? {
    let reader: BlobReader?? = state.wait(for: limit) { state in
      switch state.phase {
      case .asking: nil
      case .reading(let head, let spool):
        .some(BlobReader(head: head, spool: spool, follower: follower))
      case .measuring, .broken: .some(nil)
      }
    }
    return reader ?? nil
  }

  fileprivate var failure: FillError? {
    state.withLock { state in
      switch state.phase {
      case .measuring: .sizeless
      case .broken(let error): error
      case .asking, .reading: nil
      }
    }
  }

  fileprivate func progress(beyond offset: Int64, within limit: Duration) -> BlobReader.Progress {
    state.wait(for: limit) { state in
      if state.written > offset { return .available(upTo: state.written) }
      if case .broken = state.phase { return .broken }
      return nil
    } ?? .waiting
  }

  // MARK: for those who look on

  var progress: FillProgress {
    state.withLock { state in
      FillProgress(
        digest: digest, size: state.size, written: state.written, followers: state.followers,
        isWaiting: !state.hasTurn)
    }
  }

  // MARK: for the one who fills

  /// Whether it is still in the queue.
  var isWaiting: Bool { state.withLock { !$0.hasTurn } }

  /// Whether it has been there for longer than `limit`.
  func isOlder(than limit: Duration) -> Bool { ContinuousClock.now - start > limit }

  /// Whether it may be joined by one who takes it for a blob of `size`: that must not be another's.
  func isOf(size: Int64?) -> Bool {
    state.withLock { $0.size == nil || size == nil || $0.size == size }
  }

  /// Whether bytes are missing, and next to none have come lately.
  func isStandingStill(at now: ContinuousClock.Instant) -> Bool {
    state.withLock { state in
      state.written != state.size && state.pace.isStandingStill(for: Self.stallLimit, at: now)
    }
  }

  /// Its turn has come.
  func markStarted() {
    state.withLock { state in
      state.hasTurn = true
      state.pace = FillPace(at: .now)
    }
  }

  /// Upstream has answered, and states no size: who waits for bytes is passed on.
  func beginMeasuring() { change { $0.phase = .measuring } }

  /// - Parameter spool: as large as the blob.
  func begin(_ head: HTTPResponseHead, _ spool: Spool) {
    change { state in
      state.size = spool.bytes
      state.phase = .reading(head, spool)
    }
  }

  /// Bytes are in the spool up to here.
  func advance(to offset: Int64) {
    let now = ContinuousClock.now
    change { state in
      state.written = offset
      state.pace.advance(to: offset, at: now)
    }
    onAdvance?(offset)
  }

  /// Waits for bytes in the spool beyond `offset`.
  ///
  /// - Returns: where they end; `nil` when none came for a while.
  /// - Throws: why no more will come, also when not all that did were read.
  func waitForBytes(beyond offset: Int64) throws(FillError) -> Int64? {
    let result: Result<Int64, FillError>? = state.wait(for: .seconds(60)) { state in
      if case .broken(let error) = state.phase { return .failure(error) }
      return state.written > offset ? .success(state.written) : nil
    }
    return try result?.get()
  }

  /// Lets some time go by.
  ///
  /// - Throws: why no more bytes will come.
  func pause(for time: Duration) throws(FillError) {
    let error: FillError? = state.wait(for: time) { state in
      if case .broken(let error) = state.phase { error } else { nil }
    }
    if let error { throw error }
  }

  /// Ends the fill without more bytes. Called as soon as that is known: clients that read along must not wait for the
  /// cleaning up.
  func fail(_ error: FillError) {
    change { $0.fail(error) }
  }

  /// The same, unless a client reads along, or is about to. Nobody can come in between: who comes later
  /// finds it broken before the first byte, and is passed on.
  ///
  /// - Returns: whether no more bytes are to come.
  func failUnlessFollowed(_ error: FillError) -> Bool {
    // Where a client reads along nothing changes, and nobody is woken.
    guard state.withLock({ $0.followers == 0 }) else { return false }
    return change { state in
      guard state.followers == 0 else { return false }
      state.fail(error)
      return true
    }
  }
}

extension BlobFill.State {
  /// Only the first reason counts.
  fileprivate mutating func fail(_ error: FillError) {
    if case .broken = phase { return }
    phase = .broken(error)
  }
}

/// A client's interest in a fill. While one lives, the reading goes on, even where nothing can be
/// published any more.
package final class FillFollower: Sendable {
  fileprivate let fill: BlobFill
  private let readers: ReadersAlong

  init(_ fill: BlobFill, among readers: ReadersAlong) {
    self.fill = fill
    self.readers = readers
    fill.follow(1)
    readers.begin()
  }

  deinit {
    fill.follow(-1)
    readers.end()
  }

  package enum Beginning: Sendable {
    /// Upstream has not answered yet.
    case asking
    case reader(BlobReader)
    /// There is nothing to read: the client has seen nothing, and can be passed on.
    case broken(FillError)
  }

  /// What there is to read from now.
  ///
  /// - Parameter listener: called once, by whichever thread, when that changes, if it is `.asking`.
  package func beginning(orWhenChanged listener: @escaping @Sendable () -> Void) -> Beginning {
    fill.beginning(for: self, orWhenChanged: listener)
  }

  /// Waits for upstream's answer.
  ///
  /// - Returns: what there is to read from; `nil` when there will be nothing, or not in time: the client
  ///   has seen nothing then, and can be passed on.
  package func reader(within limit: Duration) -> BlobReader? {
    fill.reader(within: limit, for: self)
  }

  /// Why there is nothing to read, once it is known.
  package var failure: FillError? { fill.failure }
}

/// One client's place to read a blob from while it comes in. Holds the spool open.
package final class BlobReader: Sendable {
  package enum Progress: Sendable, Equatable {
    /// Bytes up to here can be read.
    case available(upTo: Int64)
    /// Nothing new in the time given.
    case waiting
    /// No more will come, and the blob is not whole: the client's body must break off too.
    case broken
  }

  /// Upstream's own, of a full 200.
  package let head: HTTPResponseHead
  private let spool: Spool
  private let follower: FillFollower

  fileprivate init(head: HTTPResponseHead, spool: Spool, follower: FillFollower) {
    self.head = head
    self.spool = spool
    self.follower = follower
  }

  package var size: Int64 { spool.bytes }

  /// The file that bytes are read from, by offset; open while this value lives.
  package var descriptor: Int32 { spool.descriptor }

  /// How far the bytes beyond `offset` go now.
  ///
  /// - Parameter listener: called once, by whichever thread, when that changes, if it is `.waiting`.
  package func progress(
    beyond offset: Int64, orWhenChanged listener: @escaping @Sendable () -> Void
  ) -> Progress {
    follower.fill.progress(beyond: offset, orWhenChanged: listener)
  }

  /// Waits for bytes beyond `offset`.
  package func progress(beyond offset: Int64, within limit: Duration) -> Progress {
    follower.fill.progress(beyond: offset, within: limit)
  }
}
