internal import HTTPTransport
internal import Hashing
internal import Primitives
internal import Registry
internal import S3
internal import Threading

/// Reads blobs from upstream into the bucket, for clients that read along.
package final class Filler: Sendable {
  package struct Limits: Sendable {
    /// Fills at a time.
    package var fills: Int
    package var spoolFolder: String
    package var spoolBytes: Int64
    /// Preferred size of a part; a blob up to this size is one PUT.
    package var partBytes: Int64
    package var parallelParts: Int
    package var uploadThreads: Int

    package init(
      fills: Int = 8, spoolFolder: String = "/var/tmp", spoolBytes: Int64 = 16 << 30,
      partBytes: Int64 = 8 << 20,
      parallelParts: Int = 4, uploadThreads: Int = 16
    ) {
      self.fills = fills
      self.spoolFolder = spoolFolder
      self.spoolBytes = spoolBytes
      self.partBytes = partBytes
      self.parallelParts = parallelParts
      self.uploadThreads = uploadThreads
    }
  }

  private let limits: Limits
  private let observer: any FillObserver
  private let budget: SpoolBudget
  private let table = FillTable()
  private let readers: ThreadPool<HTTPClient>
  private let uploaders: ThreadPool<HTTPClient>

  package init(_ limits: Limits, observer: any FillObserver) {
    self.limits = limits
    self.observer = observer
    budget = SpoolBudget(limit: limits.spoolBytes)
    readers = ThreadPool(name: "fill", threadLimit: limits.fills, queueLimit: 0) { HTTPClient() }
    uploaders = ThreadPool(name: "upload", threadLimit: limits.uploadThreads, queueLimit: .max) {
      HTTPClient()
    }
  }

  /// The fill of this blob that runs, or a new one.
  ///
  /// - Returns: `nil` when no more fills may run.
  package func fill(_ source: FillSource) -> BlobFill? {
    let name = "\(source.bucket.bucket.url(for: source.key, on: source.bucket.bucket.endpoint))"
    return table.find(name) {
      let fill = BlobFill(source.digest, size: source.size)
      let isTaken = readers.submit { http in
        self.run(fill, source, &http)
        self.table.remove(name)
      }
      return isTaken ? fill : nil
    }
  }

  /// Takes no more fills, and waits for those that run; what is not done by then is given up, and its
  /// uploads are aborted.
  package func stop(within limit: Duration) {
    readers.close()
    if !table.waitUntilEmpty(within: limit) {
      table.giveUp()
      _ = table.waitUntilEmpty(within: .seconds(5))
    }
    uploaders.close()
  }

  private func run(_ fill: BlobFill, _ source: FillSource, _ http: inout HTTPClient) {
    let start = ContinuousClock.now
    do throws(FillError) {
      try readAndPublish(fill, source, &http)
      source.onPublished()
      observer.published(source.digest, size: source.size, after: ContinuousClock.now - start)
    } catch {
      fill.breakOff(error)
      observer.failed(source.digest, error)
    }
  }

  private func readAndPublish(_ fill: BlobFill, _ source: FillSource, _ http: inout HTTPClient)
    throws(FillError)
  {
    guard let reservation = budget.reserve(source.size) else { throw .noRoom(source.size) }
    let spool = try Spool(in: limits.spoolFolder, reservation)
    let partSize = PartSize(for: source.size, preferred: limits.partBytes).bytes
    guard source.size > partSize else {
      try read(fill, source, spool, nil, &http)
      return try put(source, spool, &http)
    }
    let upload = MultipartFill(
      source.bucket, source.key, spool, uploaders, parallelParts: limits.parallelParts)
    do throws(FillError) {
      let cutter = PartCutter(size: source.size, partBytes: partSize) { upload.add($0) }
      try read(fill, source, spool, cutter, &http)
      try complete(upload, source, &http)
    } catch {
      abort(upload, source, &http)
      throw error
    }
  }

  private func read(
    _ fill: BlobFill, _ source: FillSource, _ spool: Spool, _ parts: PartCutter?,
    _ http: inout HTTPClient
  ) throws(FillError) {
    let table = table
    let reading = UpstreamReading(fill, spool, parts) { !table.isGivenUp }
    do {
      try http.stream(source.request, to: reading)
    } catch {
      throw reading.failure ?? .upstream(error.message)
    }
    try reading.verify()
  }

  private func put(_ source: FillSource, _ spool: Spool, _ http: inout HTTPClient) throws(FillError)
  {
    let body = HTTPBody.file(descriptor: spool.descriptor, offset: 0, count: source.size)
    let sha256 = try sha256(of: source, spool)
    _ = try publish(source) { isConditional throws(S3Error) in
      try source.bucket.put(
        source.key, body, sha256: sha256, onlyIfAbsent: isConditional, over: &http, now: .now())
    }
  }

  /// A blob's own digest is what S3 is to check, if it is a SHA-256.
  private func sha256(of source: FillSource, _ spool: Spool) throws(FillError) -> [UInt8] {
    if source.digest.algorithm == .sha256, let digest = Hex.decode(source.digest.encoded.span) {
      return digest
    }
    return try spool.sha256(count: source.size)
  }

  private func complete(_ upload: MultipartFill, _ source: FillSource, _ http: inout HTTPClient)
    throws(FillError)
  {
    let (multipart, parts): (MultipartUpload, [UploadedPart])
    do {
      (multipart, parts) = try upload.waitForParts()
    } catch {
      throw .store(error.description)
    }
    let outcome = try publish(source) { isConditional throws(S3Error) in
      try source.bucket.completeMultipartUpload(
        multipart, parts, onlyIfAbsent: isConditional, over: &http, now: .now())
    }
    // Another instance was first: its object stays, our parts go.
    if outcome == .alreadyThere { abort(upload, source, &http) }
  }

  /// Makes the object visible: only where there is none, if the server knows that condition and no wrong
  /// object is to be replaced.
  private func publish(
    _ source: FillSource, _ attempt: (_ isConditional: Bool) throws(S3Error) -> UploadOutcome
  ) throws(FillError) -> UploadOutcome {
    let goesOn = { [table] in !table.isGivenUp }
    do throws(S3Error) {
      do throws(S3Error) {
        return try Retry.run(goesOn) { () throws(S3Error) in
          try attempt(!source.isReplacement)
        }
      } catch {
        guard error.isUnknownCondition, !source.isReplacement else { throw error }
        return try Retry.run(goesOn) { () throws(S3Error) in try attempt(false) }
      }
    } catch {
      throw .store(error.description)
    }
  }

  private func abort(_ upload: MultipartFill, _ source: FillSource, _ http: inout HTTPClient) {
    guard let multipart = upload.abandon() else { return }
    do throws(S3Error) {
      try Retry.run { () throws(S3Error) in
        try source.bucket.abortMultipartUpload(multipart, over: &http, now: .now())
      }
    } catch {
      observer.leftUpload(of: source.digest, .store(error.description))
    }
  }
}
