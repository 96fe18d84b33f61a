package import HTTPTransport
internal import Hashing
internal import Primitives
internal import Registry
internal import S3
internal import Threading

/// Reads blobs from upstream into the bucket, for clients that read along and for those that will come.
package final class Filler: Sendable {
  package struct Limits: Sendable {
    /// Fills at a time.
    package var fills: Int
    /// Fills that wait for their turn, with the credential they were given.
    package var queue: Int
    /// How long they wait at most: a credential is not kept for longer.
    package var queueTime: Duration
    package var spoolFolder: String
    package var spoolBytes: Int64
    /// Preferred size of a part; a blob up to this size is one PUT.
    package var partBytes: Int64
    package var parallelParts: Int

    package init(
      fills: Int = 8, queue: Int = 64, queueTime: Duration = .seconds(300),
      spoolFolder: String = "/var/tmp", spoolBytes: Int64 = 16 << 30, partBytes: Int64 = 8 << 20,
      parallelParts: Int = 4
    ) {
      self.fills = fills
      self.queue = queue
      self.queueTime = queueTime
      self.spoolFolder = spoolFolder
      self.spoolBytes = spoolBytes
      self.partBytes = partBytes
      self.parallelParts = parallelParts
    }

    /// Enough that no fill waits for another's part, within reason.
    var uploadThreads: Int { min(fills * parallelParts, 128) }
  }

  let limits: Limits
  private let observer: any FillObserver
  let budget: SpoolBudget
  let table = FillTable()
  let readers: ThreadPool<HTTPClient>
  let hashers: ThreadPool<Void>
  let uploaders: ThreadPool<HTTPClient>

  package init(_ limits: Limits, observer: any FillObserver) {
    self.limits = limits
    self.observer = observer
    budget = SpoolBudget(limit: limits.spoolBytes)
    readers = ThreadPool(name: "fill", threadLimit: limits.fills, queueLimit: 0) { HTTPClient() }
    // Nobody waits for what these do; somebody may wait for whom they would keep from a processor.
    hashers = ThreadPool(name: "hash", threadLimit: limits.fills, queueLimit: .max) {
      Thread.giveWay()
    }
    uploaders = ThreadPool(name: "upload", threadLimit: limits.uploadThreads, queueLimit: .max) {
      Thread.giveWay()
      return HTTPClient()
    }
  }

  /// What there is for a client that wants to read along.
  package enum Following: Sendable {
    case follower(FillFollower)
    /// The blob has just come into the bucket.
    case published
    /// No more fills may run.
    case none
  }

  /// Reads along with the fill of this blob that runs, or with a new one.
  package func follow(_ source: FillSource) -> Following {
    switch start(source, queueLimit: 0) {
    // A client does not wait for the queue; nor do its upstream and another's, that gives another size,
    // mean the same blob.
    case .fill(let fill) where fill.isWaiting || fill.size != source.size: .none
    case .fill(let fill): .follower(FillFollower(fill))
    case .published: .published
    case .none: .none
    }
  }

  /// Fills when its turn comes; the same blob is queued once.
  ///
  /// - Returns: `false` when the queue is full.
  package func queue(_ source: FillSource) -> Bool {
    if case .none = start(source, queueLimit: limits.queue) { false } else { true }
  }

  /// Lets go of the credentials of fills that have waited too long. To be called every few seconds.
  package func dropStaleCredentials() { table.dropRequests(waitingFor: limits.queueTime) }

  /// Fills in this thread.
  ///
  /// - Parameter onAdvance: told how many bytes have come.
  /// - Returns: `false` when another instance was first.
  package func fill(
    _ source: FillSource, by http: inout HTTPClient, onAdvance: @escaping @Sendable (Int64) -> Void
  ) throws(FillError) -> Bool {
    let fill = BlobFill(source.digest, size: source.size, onAdvance: onAdvance)
    return try readAndPublish(fill, source, isShared: false, &http) == .stored
  }

  /// Takes no more fills, and waits for those that run; what is not done by then is given up, and its
  /// uploads are aborted.
  package func stop(within limit: Duration) {
    readers.close()
    if !table.waitUntilEmpty(within: limit) {
      table.giveUp()
      _ = table.waitUntilEmpty(within: .seconds(5))
    }
    hashers.close()
    uploaders.close()
  }

  private func start(_ source: FillSource, queueLimit: Int) -> FillTable.Finding {
    let (name, start) = (source.name, ContinuousClock.now)
    return table.find(name, source.request) {
      let fill = BlobFill(source.digest, size: source.size, hasTurn: queueLimit == 0)
      let isTaken = readers.submit(queueLimit: queueLimit) { http in
        let isPublished = self.run(fill, source, since: start, &http)
        self.table.remove(name, isPublished: isPublished)
      }
      return isTaken ? fill : nil
    }
  }

  /// - Returns: whether the blob is in the bucket.
  private func run(
    _ fill: BlobFill, _ source: FillSource, since start: ContinuousClock.Instant,
    _ http: inout HTTPClient
  ) -> Bool {
    fill.takeTurn()
    do throws(FillError) {
      guard !table.isGivenUp else { throw .stopping }
      guard !fill.isOlder(than: limits.queueTime) else { throw .stale }
      let ending = try readAndPublish(fill, source, isShared: true, &http)
      source.onPublished()
      switch ending {
      case .stored:
        observer.published(source.digest, size: source.size, after: ContinuousClock.now - start)
      case .elsewhere: observer.found(source.digest, size: source.size)
      }
      return true
    } catch {
      fill.breakOff(error)
      observer.failed(source.digest, error)
      return false
    }
  }

  /// - Parameter isShared: whether clients may read along.
  private func readAndPublish(
    _ fill: BlobFill, _ source: FillSource, isShared: Bool, _ http: inout HTTPClient
  ) throws(FillError) -> Publication {
    guard let reservation = budget.reserve(source.size, isPatient: !isShared) else {
      throw .noRoom(source.size)
    }
    let spool = try Spool(in: limits.spoolFolder, reservation)
    let partSize = PartSize(for: source.size, preferred: limits.partBytes).bytes
    guard source.size > partSize else {
      try read(fill, source, spool, nil, &http)
      try BlobHashing(fill, spool, nil).verify().get()
      return try put(source, spool, &http)
    }
    let upload = MultipartFill(
      source, spool, uploaders, parallelParts: limits.parallelParts,
      lead: isShared ? nil : 2 * partSize * Int64(limits.parallelParts))
    defer {
      if upload.isBeginningLost {
        observer.leftUpload(
          of: source.digest, .store("perhaps: an answer to CreateMultipartUpload was lost"))
      }
    }
    do throws(FillError) {
      let hashing = BlobHashing(fill, spool, .init(bytes: partSize) { upload.add($0) })
      let isAlongside = hashing.start(on: hashers)
      try read(fill, source, spool, upload, &http)
      if isAlongside { try hashing.waitForVerdict() } else { try hashing.verify().get() }
      let publication = try complete(upload, source, &http)
      if publication == .elsewhere { abort(upload, source, &http) }
      return publication
    } catch {
      // At once: whoever waits for bytes need not wait for the upload's end.
      fill.breakOff(error)
      abort(upload, source, &http)
      // The bytes of others may be there though ours are not wanted any more.
      if upload.isElsewhere { return .elsewhere }
      throw error
    }
  }

  private func read(
    _ fill: BlobFill, _ source: FillSource, _ spool: Spool, _ upload: MultipartFill?,
    _ http: inout HTTPClient
  ) throws(FillError) {
    // It was let go of while it waited.
    guard var request = source.request.take() else { throw .stale }
    let patience = request.limits.stall
    // As patient as the web server in front of a registry; see `UpstreamReading.isStillWanted`.
    request.limits.stall = max(request.limits.stall, .seconds(900))
    let table = table
    let pace: (Int64) -> Void = { upload?.holdBack(at: $0) }
    let reading = UpstreamReading(fill, spool, patience: patience, pace: pace) {
      if table.isGivenUp { return .stopping }
      // Where nothing can be published any more, only clients can want the rest.
      guard let end = upload?.end, fill.breakOffUnlessFollowed(end) else { return nil }
      return end
    }
    do throws(TransportError) {
      try http.stream(request, to: reading)
    } catch {
      throw reading.failure ?? .upstream(error.message)
    }
    try reading.checkLength()
  }

  private func put(_ source: FillSource, _ spool: Spool, _ http: inout HTTPClient) throws(FillError)
    -> Publication
  {
    if source.isPublished(over: &http) { return .elsewhere }
    let body = HTTPBody.file(descriptor: spool.descriptor, offset: 0, count: source.size)
    let sha256 = try sha256(of: source, spool)
    return try publisher(source).publish(&http) { http, isConditional throws(S3Error) in
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
    throws(FillError) -> Publication
  {
    let outcome = try upload.waitForParts { [table] in table.isGivenUp }
    guard case .parts(let multipart, let parts) = outcome else { return .elsewhere }
    return try publisher(source).publish(&http) { http, isConditional throws(S3Error) in
      try source.bucket.completeMultipartUpload(
        multipart, parts, onlyIfAbsent: isConditional, over: &http, now: .now())
    }
  }

  private func publisher(_ source: FillSource) -> Publisher {
    Publisher(source: source) { [table] in !table.isGivenUp }
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
