internal import HTTPTransport
internal import Primitives
internal import Registry
internal import Threading

/// Takes upstream's answer into the spool, over as many connections as it needs.
///
/// The rules are `ReadingPlan`'s. Here is who writes, and who is shown what was written.
final class UpstreamReading: Sendable {
  private struct State {
    /// With the client's credential; `nil` when the reading is over.
    var request: HTTPRequest?
    var plan: ReadingPlan
    var spool: Spool?
    /// The head of an answer that states no size, until the body has ended.
    var sizelessHead: HTTPResponseHead?
    /// A strong validator of the bytes that the spool begins with.
    var validator: [UInt8]?
    var end: Result<Void, FillError>?
    var patience: Patience
  }

  /// What a reading works with.
  struct Means: Sendable {
    /// Runs a connection on a thread of its own; `false` when there is none.
    let submit: @Sendable (@escaping @Sendable (inout HTTPClient) -> Void) -> Bool
    let makeSpool: @Sendable (Int64) throws(FillError) -> Spool
  }

  private let fill: BlobFill
  private let source: FillSource
  private let means: Means
  private let state: Monitor<State>
  /// The upload that grows with the spool, once there is one.
  private let upload = Monitor<MultipartFill?>(nil)

  /// - Parameters:
  ///   - patience: how long it may crawl while no client reads along.
  ///   - spool: as large as the blob, where its size is known.
  init(
    _ fill: BlobFill, source: FillSource, request: HTTPRequest, patience: Duration,
    spool: Spool?, means: Means
  ) {
    self.fill = fill
    self.source = source
    self.means = means
    let now = ContinuousClock.now
    state = Monitor(
      State(
        request: request, plan: ReadingPlan(at: now), spool: spool,
        patience: Patience(time: patience, since: now)))
  }

  // MARK: for the one who fills

  /// Asks upstream, and waits for its answer.
  ///
  /// - Returns: a spool as large as the blob, which grows from now on.
  func begin(unless whyStop: () -> FillError?) throws(FillError) -> Spool {
    try run(
      until: { $0.plan.isBegun && $0.sizelessHead == nil ? $0.spool : nil }, unless: whyStop)
  }

  /// Waits until the whole blob is in the spool.
  func finish(with upload: MultipartFill?, unless whyStop: () -> FillError?) throws(FillError) {
    self.upload.withLock { $0 = upload }
    defer {
      self.upload.withLock { $0 = nil }
      state.withLock { $0.request = nil }
    }
    try run(
      until: { state in
        if case .success? = state.end { () } else { nil }
      }, unless: whyStop)
  }

  private func run<Result: Sendable>(
    until isDone: (borrowing State) -> Result?, unless whyStop: () -> FillError?
  ) throws(FillError) -> Result {
    while true {
      if let reason = whyStop() ?? whyImpatient() { stop(reason) }
      let now = ContinuousClock.now
      let next: Next<Result> = state.withLock { state in
        if case .failure(let error)? = state.end { return .failed(error) }
        if let result = isDone(state) { return .done(result) }
        switch state.plan.step(at: now) {
        case .open: return .open(state.plan.open(at: now), from: state.plan.offset)
        case .wait(let instant): return .wait(for: min(instant - now, .seconds(1)))
        case .fail(let error): return .failed(error)
        }
      }
      switch next {
      case .done(let result): return result
      case .failed(let error):
        stop(error)
        throw error
      case .open(let number, let offset): open(number, from: offset)
      case .wait(let time):
        // Any end of a connection, and the first answer, wake this.
        let count = state.withLock { $0.plan.changes }
        let _: Void? = state.wait(for: time) { state in
          state.end != nil || state.plan.changes != count || isDone(state) != nil ? () : nil
        }
      }
    }
  }

  private enum Next<Result: Sendable>: Sendable {
    case done(Result)
    case failed(FillError)
    case open(Int, from: Int64)
    case wait(for: Duration)
  }

  private func open(_ number: Int, from offset: Int64) {
    let (request, validator) = state.withLock { ($0.request, $0.validator) }
    guard let request else { return }
    let attempt = UpstreamAttempt.Plan(
      number: number, request: request, offset: offset, validator: validator, hosts: source.hosts)
    let isTaken = means.submit { [self] http in
      guard number > 0 else { return UpstreamAttempt(attempt, self).run(by: &http) }
      // A connection that was kept may lead to the same trouble.
      var new = HTTPClient()
      UpstreamAttempt(attempt, self).run(by: &new)
    }
    if !isTaken { end(number, .upstream("no thread to read with"), isRefusal: false) }
  }

  private func stop(_ error: FillError) {
    state.update { if $0.end == nil { $0.end = .failure(error) } }
  }

  /// A client that reads along waits for a slow registry as long as it would without bloblo; without a client,
  /// a place among the fills is worth more.
  private func whyImpatient() -> FillError? {
    let now = ContinuousClock.now
    let isOver = state.withLock { $0.end == nil && $0.patience.isOver(at: $0.plan.offset, now) }
    guard isOver else { return nil }
    let reason = state.withLock {
      FillError.upstream("fewer than \(FillPace.leastBytes) bytes in \($0.patience.time)")
    }
    return fill.failUnlessFollowed(reason) ? reason : nil
  }

  // MARK: for the connections

  /// Whether only the end of the body will tell the blob's size.
  var isMeasuring: Bool { state.withLock { $0.sizelessHead != nil } }

  func isWanted(_ number: Int) -> Bool {
    state.withLock { state in
      if case .failure? = state.end { return false }
      return state.plan.isWanted(number)
    }
  }

  /// Judges an answer.
  ///
  /// - Returns: at which byte of the blob its body begins; `nil` when it is of no use.
  func accept(_ head: HTTPResponseHead, _ attempt: UpstreamAttempt.Plan) -> Result<
    Int64, FillError
  > {
    let answer = UpstreamAnswer(head)
    if attempt.number > 0 {
      let size = state.withLock { $0.spool?.bytes } ?? 0
      return answer.start(ofRestFrom: attempt.offset, size: size, fill.digest)
    }
    return Result { () throws(FillError) in
      guard let size = try answer.size(ofWhole: source.size, fill.digest) else {
        return try acceptSizeless(head)
      }
      let known = state.withLock { $0.spool }
      let spool = if let known { known } else { try means.makeSpool(size) }
      let now = ContinuousClock.now
      fill.begin(head, spool)
      state.update { state in
        state.spool = spool
        state.validator = answer.strongValidator
        state.plan.begin(at: now)
        if size == 0 { state.end = .success(()) }
      }
      return 0
    }
  }

  /// The blob is read to its end for the bucket alone, over this one connection: nothing tells where another would
  /// have to go on, or that a broken body is not the whole. The digest decides.
  private func acceptSizeless(_ head: HTTPResponseHead) throws(FillError) -> Int64 {
    let spool = try means.makeSpool(0)
    fill.beginMeasuring()
    state.update { state in
      state.spool = spool
      state.sizelessHead = head
      state.plan.begin(isResumable: false, at: .now)
    }
    return 0
  }

  /// Takes bytes of the blob that begin at `position`, of which some may be there.
  ///
  /// - Returns: whether the connection is to go on.
  func write(_ piece: [UInt8], at position: Int64, by number: Int) -> Bool {
    let now = ContinuousClock.now
    let isWanted = state.withLock { state -> Bool in
      if case .failure? = state.end { return false }
      guard state.plan.isWanted(number), let spool = state.spool else { return false }
      let (old, end) = (state.plan.offset, position + Int64(piece.count))
      let isMeasuring = state.sizelessHead != nil
      guard isMeasuring || end <= spool.bytes else {
        state.end = .failure(.long(spool.bytes))
        return false
      }
      guard end > old else {
        state.plan.approach(by: number, at: now)
        return true
      }
      do throws(FillError) {
        if isMeasuring { try spool.grow(to: end) }
        let known = Int(old - position)
        try spool.write(piece.span.extracting(known...), at: old)
      } catch {
        state.end = .failure(error)
        return false
      }
      state.plan.advance(to: end, by: number, at: now)
      fill.advance(to: end)
      if !isMeasuring, end == spool.bytes { state.end = .success(()) }
      return true
    }
    guard isWanted else {
      state.update { _ in }
      return false
    }
    let (offset, isOver) = state.withLock { ($0.plan.offset, $0.end != nil) }
    if isOver { state.update { _ in } }
    upload.withLock { $0 }?.throttle(at: offset)
    return true
  }

  /// A connection has ended.
  ///
  /// - Parameter error: `nil` when its answer came whole.
  func end(_ number: Int, _ error: FillError?, isRefusal: Bool) {
    let now = ContinuousClock.now
    if error == nil, endMeasuring() { return }
    state.update { state in
      let short = state.spool.map { FillError.short($0.bytes, state.plan.offset) }
      state.plan.end(
        number, error ?? short ?? .upstream("no answer"), isRefusal: isRefusal, at: now)
    }
  }

  /// The body has ended whole, and so its size is known.
  ///
  /// - Returns: whether it was not before.
  private func endMeasuring() -> Bool {
    let measured = state.withLock { state -> (head: HTTPResponseHead, spool: Spool, Int64)? in
      guard state.end == nil, let head = state.sizelessHead, let spool = state.spool else {
        return nil
      }
      return (head, spool, state.plan.offset)
    }
    guard let (head, spool, size) = measured else { return false }
    spool.trim(to: size)
    fill.begin(head, spool)
    state.update { state in
      state.sizelessHead = nil
      if state.end == nil { state.end = .success(()) }
    }
    return true
  }
}

/// How long a reading may crawl: the deadline of a fill is one by progress, not by size.
private struct Patience {
  let time: Duration
  private var pace: FillPace

  init(time: Duration, since now: ContinuousClock.Instant) {
    self.time = time
    pace = FillPace(at: now)
  }

  mutating func isOver(at offset: Int64, _ now: ContinuousClock.Instant) -> Bool {
    pace.advance(to: offset, at: now)
    return pace.isStandingStill(for: time, at: now)
  }
}
