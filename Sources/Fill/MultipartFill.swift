internal import HTTPTransport
internal import Primitives
internal import Registry
internal import S3
internal import Threading

/// A multipart upload that grows with the spool: parts go up in parallel as they become whole.
///
/// It never makes the reading wait: parts queue here, threads of the upload pool take them. While clients read along,
/// with whichever fill, parts wait as long as `Courtesy` says, and then go up one at a time.
final class MultipartFill: Sendable {
  /// What there is to complete.
  enum Outcome: Sendable {
    case parts(MultipartUpload, [UploadedPart])
    /// Another instance has published the blob: there is nothing left to do.
    case elsewhere
  }

  fileprivate struct State {
    var waiting: [BlobPart] = []
    var upload: MultipartUpload?
    var isBeginningLost = false
    var uploaded: [UploadedPart] = []
    var uploadedBytes: Int64 = 0
    /// Since the last part went up, the reading has waited for nothing.
    var isStoreSlow = false
    var workers = 0
    /// Whether bytes may still come in.
    var isReading = true
    var failure: S3Error?
    var isElsewhere = false
    var isAbandoned = false
    var nextLook = ContinuousClock.now

    var isOver: Bool { failure != nil || isElsewhere || isAbandoned }
  }

  /// Between two looks whether another instance has been faster.
  private static let lookInterval = Duration.seconds(2)

  private let target: FillTarget
  private let spool: Spool
  private let pool: ThreadPool<HTTPClient>
  private let parallelParts: Int
  private let maxReadAhead: Int64?
  private let courtesy: Courtesy
  /// What parts are summed by.
  let algorithm: PartChecksum.Algorithm
  private let state = Monitor(State())

  /// - Parameter maxReadAhead: for a fill that nobody can read along with: how many bytes the reading may be ahead of
  ///   what is up. And what is up leaves the spool.
  init(
    _ target: FillTarget, spool: Spool, pool: ThreadPool<HTTPClient>, parallelParts: Int,
    maxReadAhead: Int64?, courtesy: Courtesy
  ) {
    self.target = target
    self.spool = spool
    self.pool = pool
    self.parallelParts = parallelParts
    self.maxReadAhead = maxReadAhead
    self.courtesy = courtesy
    algorithm = target.bucket.partChecksum
  }

  func add(_ part: BlobPart) {
    state.withLock { if !$0.isOver { $0.waiting.append(part) } }
    callWorkers()
  }

  /// To be called now and then while bytes come in: nobody says when the last client has gone, or has waited enough.
  func goOn() { callWorkers() }

  /// No more bytes come in.
  func endReading() {
    state.withLock { $0.isReading = false }
    callWorkers()
  }

  /// Waits while the reading is too far ahead: what waits in the spool for long leaves the processor's caches,
  /// and then the memory for the disk. But not for an S3 that takes nothing: upstream must not take us for dead.
  ///
  /// - Parameter offset: where the reading is.
  func throttle(at offset: Int64) {
    guard let maxReadAhead else { return }
    let end: Void? = state.wait(for: .seconds(2)) { state in
      let isHeld =
        !state.isOver && !state.isStoreSlow && offset - state.uploadedBytes > maxReadAhead
      return isHeld ? nil : ()
    }
    if end == nil { state.withLock { $0.isStoreSlow = true } }
  }

  /// Why no byte more is needed for the bucket; `nil` while some are.
  var end: FillError? {
    state.withLock { state in
      if let failure = state.failure { return .store(failure.description) }
      return state.isElsewhere ? .store("another instance has published it") : nil
    }
  }

  /// Whether there may be an upload that S3 began and whose name did not come: only a sweep finds it.
  var isBeginningLost: Bool { state.withLock { $0.isBeginningLost } }

  /// Whether S3 may keep parts of it.
  var isOpen: Bool { state.withLock { $0.upload != nil || $0.isBeginningLost } }

  var digest: Digest { target.digest }

  /// Whether another instance has published the blob.
  var isElsewhere: Bool { state.withLock { $0.isElsewhere } }

  /// Waits until all parts that were added are up.
  ///
  /// - Parameter isCancelled: asked once a second; then the waiting ends.
  func waitForParts(unless isCancelled: () -> Bool) throws(FillError) -> Outcome {
    while !isCancelled() {
      goOn()
      let result: Result<Outcome, S3Error>? = state.wait(
        for: courtesy.isDue ? .milliseconds(100) : .seconds(1)
      ) { state in
        guard state.workers == 0 else { return nil }
        if state.isElsewhere { return .success(.elsewhere) }
        if let failure = state.failure { return .failure(failure) }
        guard state.waiting.isEmpty, let upload = state.upload else { return nil }
        return .success(.parts(upload, state.uploaded.sorted { $0.number < $1.number }))
      }
      switch result {
      case .success(let outcome)?: return outcome
      case .failure(let error)?: throw .store(error.description)
      case nil: continue
      }
    }
    throw .stopping
  }

  /// Gives up: waits for the workers to let go.
  ///
  /// - Returns: the upload to abort, if one was begun.
  func abandon() -> MultipartUpload? {
    state.update { state in
      state.isAbandoned = true
      state.waiting = []
    }
    let upload: MultipartUpload?? = state.wait { $0.workers == 0 ? .some($0.upload) : nil }
    return upload ?? nil
  }

  /// Has as many threads at work as there is work for; one alone until there is an upload, and while clients read
  /// along: they share their line, and perhaps their processors, with the upload.
  private func callWorkers() {
    let (hasClients, isPostponed) = (courtesy.hasClients, courtesy.isDue)
    let missing = state.withLock { state in
      guard !state.isOver, !isPostponed else { return 0 }
      let isAlone = state.upload == nil || state.isReading && hasClients
      let limit = isAlone ? 1 : parallelParts
      let missing = max(0, min(limit - state.workers, state.waiting.count))
      state.workers += missing
      return missing
    }
    for _ in 0..<missing where !pool.submit({ self.work(&$0) }) {
      fail(.unexpectedAnswer(.uploadPart, reason: "no thread to upload with"))
      state.update { $0.workers -= 1 }
    }
  }

  private func work(_ http: inout HTTPClient) {
    do throws(S3Error) {
      look(&http)
      let upload = try begin(&http)
      while !courtesy.isDue, let part = state.withLock({ $0.nextPart() }) {
        let uploaded = try send(part, to: upload, &http)
        if maxReadAhead != nil { spool.discard(part.offset) }
        state.update { state in
          state.uploaded.append(uploaded)
          state.uploadedBytes += part.count
          state.isStoreSlow = false
        }
        look(&http)
      }
    } catch {
      fail(error)
    }
    state.update { $0.workers -= 1 }
    // A part may have come between the last look and the leaving.
    callWorkers()
  }

  /// Looks, now and then, whether another instance has published the blob meanwhile.
  private func look(_ http: inout HTTPClient) {
    let isTime = state.withLock { state in
      let now = ContinuousClock.now
      guard !state.isOver, now >= state.nextLook else { return false }
      state.nextLook = now + Self.lookInterval
      return true
    }
    guard isTime, target.isPublished(over: &http) else { return }
    state.update { state in
      state.isElsewhere = true
      state.waiting = []
    }
  }

  private func begin(_ http: inout HTTPClient) throws(S3Error) -> MultipartUpload? {
    let (upload, isOver) = state.withLock { ($0.upload, $0.isOver) }
    if isOver || upload != nil { return upload }
    let new = try Retry.run(shouldContinue) { () throws(S3Error) in
      do throws(S3Error) {
        return try target.bucket.createMultipartUpload(
          target.key, checksum: algorithm, metadata: target.metadata, over: &http, now: .now())
      } catch {
        if error.mayHaveWorked { state.withLock { $0.isBeginningLost = true } }
        throw error
      }
    }
    state.update { $0.upload = new }
    callWorkers()
    return new
  }

  private func send(
    _ part: BlobPart, to upload: MultipartUpload?, _ http: inout HTTPClient
  ) throws(S3Error) -> UploadedPart {
    guard let upload else { preconditionFailure("a part without an upload") }
    let body = spool.body(part.offset, count: part.count)
    let checksum = try checksum(of: part, as: upload.checksum)
    return try Retry.run(shouldContinue) { () throws(S3Error) in
      try target.bucket.uploadPart(
        upload, number: part.number, body: body, checksum: checksum,
        sha256: { () throws(S3Error) in try sha256(of: part) }, over: &http, now: .now())
    }
  }

  /// Another one than the part came with, where S3 did not take that.
  private func checksum(
    of part: BlobPart, as algorithm: PartChecksum.Algorithm?
  ) throws(S3Error) -> PartChecksum? {
    guard let algorithm else { return nil }
    if algorithm == part.checksum.algorithm { return part.checksum }
    return PartChecksum(.sha256, try sha256(of: part))
  }

  private func sha256(of part: BlobPart) throws(S3Error) -> [UInt8] {
    if part.checksum.algorithm == .sha256 { return part.checksum.bytes }
    do throws(FillError) {
      return try spool.sha256(from: part.offset, count: part.count)
    } catch {
      throw .unexpectedAnswer(.uploadPart, reason: "\(error)")
    }
  }

  private func shouldContinue() -> Bool { state.withLock { !$0.isOver } }

  private func fail(_ error: S3Error) {
    state.update { state in
      if state.failure == nil { state.failure = error }
      state.waiting = []
    }
  }
}

extension MultipartFill.State {
  fileprivate mutating func nextPart() -> BlobPart? {
    guard !isOver, !waiting.isEmpty else { return nil }
    return waiting.removeFirst()
  }
}

extension FillTarget {
  /// Whether an object that serves stands under the key. Doubt is "no": then the upload decides.
  func isPublished(over http: inout HTTPClient) -> Bool {
    do throws(S3Error) {
      return try bucket.head(key, over: &http, now: .now())?.serves(digest, size: size) ?? false
    } catch {
      return false
    }
  }
}

extension FillSource {
  /// The size of the object under the key, unless that is known to be a wrong one. Doubt is none.
  func sizeInBucket(over http: inout HTTPClient) -> Int64? {
    guard !isReplacement else { return nil }
    do throws(S3Error) {
      let found = try bucket.head(key, over: &http, now: .now())?.size
      return size == nil || size == found ? found : nil
    } catch {
      return nil
    }
  }
}
