internal import HTTPTransport
internal import Primitives
internal import S3
internal import Threading

/// A multipart upload that grows with the spool: parts go up in parallel as they become whole.
///
/// It never makes the reading wait: parts queue here, threads of the upload pool take them.
final class MultipartFill: Sendable {
  fileprivate struct State {
    var waiting: [BlobPart] = []
    var upload: MultipartUpload?
    var uploaded: [UploadedPart] = []
    var workers = 0
    var failure: S3Error?
    var isAbandoned = false
  }

  private let bucket: BucketClient
  private let key: ObjectKey
  private let spool: Spool
  private let pool: ThreadPool<HTTPClient>
  private let parallelParts: Int
  private let state = Monitor(State())

  init(
    _ bucket: BucketClient, _ key: ObjectKey, _ spool: Spool, _ pool: ThreadPool<HTTPClient>,
    parallelParts: Int
  ) {
    self.bucket = bucket
    self.key = key
    self.spool = spool
    self.pool = pool
    self.parallelParts = parallelParts
  }

  func add(_ part: BlobPart) {
    state.withLock { $0.waiting.append(part) }
    callWorkers()
  }

  /// Waits until all parts that were added are up.
  func waitForParts() throws(S3Error) -> (MultipartUpload, [UploadedPart]) {
    let result: Result<(MultipartUpload, [UploadedPart]), S3Error>? = state.wait { state in
      if let failure = state.failure, state.workers == 0 { return .failure(failure) }
      guard state.waiting.isEmpty, state.workers == 0, let upload = state.upload else { return nil }
      return .success((upload, state.uploaded.sorted { $0.number < $1.number }))
    }
    switch result {
    case .success(let parts)?: return parts
    case .failure(let error)?: throw error
    case nil: preconditionFailure("a wait without a limit came back empty")
    }
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

  /// Has as many threads at work as there is work for; one alone until there is an upload.
  private func callWorkers() {
    let missing = state.withLock { state in
      guard state.failure == nil, !state.isAbandoned else { return 0 }
      let limit = state.upload == nil ? 1 : parallelParts
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
      let upload = try begin(&http)
      while let part = state.withLock({ $0.nextPart() }) {
        let uploaded = try send(part, to: upload, &http)
        state.update { $0.uploaded.append(uploaded) }
      }
    } catch {
      fail(error)
    }
    state.update { $0.workers -= 1 }
    // A part may have come between the last look and the leaving.
    callWorkers()
  }

  private func begin(_ http: inout HTTPClient) throws(S3Error) -> MultipartUpload {
    if let upload = state.withLock({ $0.upload }) { return upload }
    let upload = try Retry.run(goesOn) { () throws(S3Error) in
      try bucket.createMultipartUpload(key, over: &http, now: .now())
    }
    state.update { $0.upload = upload }
    callWorkers()
    return upload
  }

  private func send(
    _ part: BlobPart, to upload: MultipartUpload, _ http: inout HTTPClient
  ) throws(S3Error) -> UploadedPart {
    let body = HTTPBody.file(descriptor: spool.descriptor, offset: part.offset, count: part.count)
    return try Retry.run(goesOn) { () throws(S3Error) in
      try bucket.uploadPart(
        upload, number: part.number, body, sha256: part.sha256, over: &http, now: .now())
    }
  }

  private func goesOn() -> Bool { state.withLock { !$0.isAbandoned && $0.failure == nil } }

  private func fail(_ error: S3Error) {
    state.update { state in
      if state.failure == nil { state.failure = error }
      state.waiting = []
    }
  }
}

extension MultipartFill.State {
  fileprivate mutating func nextPart() -> BlobPart? {
    guard failure == nil, !isAbandoned, !waiting.isEmpty else { return nil }
    return waiting.removeFirst()
  }
}
