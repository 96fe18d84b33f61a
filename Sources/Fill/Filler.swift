package import HTTPTransport
internal import Hashing
internal import Primitives
internal import Registry
internal import S3
internal import Threading

/// Reads blobs from upstream into the bucket, for clients that read along and for those that will come.
package final class Filler: Sendable {
  let limits: Limits
  private let observer: any FillObserver
  let budget: SpoolBudget
  let table = FillTable()
  private let readersAlong: ReadersAlong
  /// The names of those whose size is being asked for.
  private let asked = Monitor<Set<String>>([])
  private let uploads = Monitor<[MultipartFill]>([])
  let readers: ThreadPool<HTTPClient>
  /// Each reads one answer of upstream's: a fill has up to three at a time, the one that leads, a newer one, and
  /// one that is about to end.
  let connections: ThreadPool<HTTPClient>
  let hashers: ThreadPool<Void>
  let uploaders: ThreadPool<HTTPClient>

  package init(_ limits: Limits, observer: any FillObserver) {
    self.limits = limits
    self.observer = observer
    budget = SpoolBudget(limit: limits.spoolBytes)
    readersAlong = ReadersAlong(places: limits.fills)
    readers = ThreadPool(name: "fill", threadLimit: limits.fills, queueLimit: 0) { HTTPClient() }
    connections = ThreadPool(
      name: "upstream", threadLimit: limits.fills * 3, queueLimit: limits.fills
    ) { HTTPClient() }
    // No client waits for these threads, but clients may wait for the processors that they use.
    hashers = ThreadPool(name: "hash", threadLimit: limits.fills, queueLimit: .max) {
      Thread.lowerPriority()
    }
    uploaders = ThreadPool(name: "upload", threadLimit: limits.uploadThreads, queueLimit: .max) {
      Thread.lowerPriority()
      return HTTPClient()
    }
  }

  /// What there is for a client that wants to read along.
  package enum Following: Sendable {
    case follower(FillFollower)
    /// The blob has just come into the bucket.
    case published
    /// One runs, and has stood still for some seconds: the registry itself may be faster.
    case standsStill
    /// No more fills may run.
    case none
  }

  /// Reads along with the fill of this blob that runs, or with a new one.
  package func follow(
    _ source: FillSource, at now: ContinuousClock.Instant = .now
  ) -> Following {
    following(start(source, queueLimit: 0), source, at: now)
  }

  /// Reads along with the fill of this blob that runs, if one does.
  package func join(_ source: FillSource) -> Following {
    following(table.find(source.name, source.request) { nil }, source, at: .now)
  }

  /// Whether no fill runs or waits.
  package var isIdle: Bool { table.isEmpty }

  /// Whether a fill of this blob runs that can be read along with.
  package func isRunning(_ source: FillSource) -> Bool {
    guard case .fill(let fill) = table.find(source.name, source.request, orStart: { nil }) else {
      return false
    }
    return !fill.isWaiting && fill.isOf(size: source.size) && !fill.isStandingStill(at: .now)
  }

  private func following(
    _ finding: FillTable.Finding, _ source: FillSource, at now: ContinuousClock.Instant
  ) -> Following {
    switch finding {
    // A client does not wait for the queue; nor is what has another size the same blob.
    case .fill(let fill) where fill.isWaiting || !fill.isOf(size: source.size): .none
    case .fill(let fill) where fill.isStandingStill(at: now): .standsStill
    case .fill(let fill): .follower(FillFollower(fill, among: readersAlong))
    case .published: .published
    case .none: .none
    }
  }

  /// Asks for a blob's first byte, to learn the size of the whole; once at a time for each.
  package func learnSize(_ source: FillSource, then take: @escaping @Sendable (Int64) -> Void) {
    let name = source.name
    guard asked.withLock({ $0.count < limits.queue && $0.insert(name).inserted }) else { return }
    let isTaken = connections.submit { [self] http in
      defer { asked.withLock { _ = $0.remove(name) } }
      guard let request = source.request.take() else { return }
      let receiver = SizeReceiver()
      let get = UpstreamGet(
        request: request, added: [HTTPField("Range", "bytes=0-0")], hosts: source.hosts)
      do throws(FillError) {
        try get.run(by: &http, to: receiver)
      } catch {
        if case .notFollowed = error { source.onEnd(.failure(error)) }
      }
      if let size = receiver.size { take(size) }
    }
    if !isTaken { asked.withLock { _ = $0.remove(name) } }
  }

  /// Fills when its turn comes; the same blob is queued once.
  ///
  /// - Returns: `false` when the queue is full.
  package func queue(_ source: FillSource) -> Bool {
    if case .none = start(source, queueLimit: limits.queue) { false } else { true }
  }

  /// Wipes the credentials of fills that have waited too long. To be called every few seconds.
  package func dropStaleCredentials() {
    table.dropRequests(waitingFor: limits.queueTime, at: .now())
  }

  /// Waits until there is room for a blob of `size` bytes.
  package func waitForRoom(_ size: Int64) throws(FillError) -> FillRoom {
    FillRoom(spool: try makeSpool(size, waits: true, recycles: true))
  }

  /// Fills in this thread.
  ///
  /// - Parameters:
  ///   - room: for the source's size. It is taken before there is a request: a token may end while others have the
  ///     room.
  ///   - onAdvance: called with the number of bytes that have come.
  /// - Returns: `false` when another instance was first.
  package func fill(
    _ source: FillSource, in room: FillRoom, by http: inout HTTPClient,
    onAdvance: @escaping @Sendable (Int64) -> Void
  ) throws(FillError) -> Bool {
    let fill = BlobFill(source.digest, size: source.size, onAdvance: onAdvance)
    return try readAndPublish(fill, from: source, in: room, over: &http).0 == .stored
  }

  /// Takes no more fills, and waits for those that run; what is not done by then is given up, and its
  /// uploads are aborted.
  package func stop(within limit: Duration) {
    readers.close()
    readersAlong.stop()
    if !table.waitUntilEmpty(within: limit) {
      table.cancel()
      if !table.waitUntilEmpty(within: .seconds(5)) {
        for upload in uploads.withLock({ $0 }) where upload.isOpen {
          observer.leftUpload(of: upload.digest, .stopping)
        }
      }
    }
    connections.close()
    hashers.close()
    uploaders.close()
  }

  private func start(_ source: FillSource, queueLimit: Int) -> FillTable.Finding {
    let (name, start) = (source.name, ContinuousClock.now)
    return table.find(
      name, source.request, credentialEnd: source.credentialEnd,
      isMissed: source.isMissedAfterFill
    ) {
      let fill = BlobFill(source.digest, size: source.size, hasTurn: queueLimit == 0)
      let isTaken = readers.submit(queueLimit: queueLimit) { http in
        let isPublished = self.run(
          fill, from: source, since: start, looksFirst: queueLimit > 0, over: &http)
        self.table.remove(name, isPublished: isPublished)
      }
      return isTaken ? fill : nil
    }
  }

  /// - Returns: whether the blob is in the bucket.
  private func run(
    _ fill: BlobFill, from source: FillSource, since start: ContinuousClock.Instant,
    looksFirst: Bool, over http: inout HTTPClient
  ) -> Bool {
    fill.markStarted()
    readersAlong.addFill(1)
    defer { readersAlong.addFill(-1) }
    do throws(FillError) {
      guard !table.isCancelled else { throw .stopping }
      guard !fill.isOlder(than: limits.queueTime) else { throw .stale }
      if looksFirst, let size = source.sizeInBucket(over: &http) {
        fill.fail(.store("another instance has published it"))
        source.onEnd(.success(size))
        observer.found(source.digest, size: size)
        return true
      }
      let (ending, size) = try readAndPublish(fill, from: source, in: nil, over: &http)
      source.onEnd(.success(size))
      switch ending {
      case .stored:
        observer.published(source.digest, size: size, after: ContinuousClock.now - start)
      case .elsewhere: observer.found(source.digest, size: size)
      }
      return true
    } catch {
      source.onEnd(.failure(error))
      fill.fail(error)
      observer.failed(source.digest, error)
      return false
    }
  }

  /// - Parameter room: `nil` where clients may read along: they do not wait for room.
  private func readAndPublish(
    _ fill: BlobFill, from source: FillSource, in room: FillRoom?, over http: inout HTTPClient
  ) throws(FillError) -> (Publication, size: Int64) {
    let isShared = room == nil
    let reading = try reading(fill, source, in: room)
    let spool = try reading.begin { [table] in table.isCancelled ? .stopping : nil }
    let target = source.target(size: spool.bytes)
    let partSize = PartSize(for: spool.bytes, preferred: limits.partBytes).bytes
    guard spool.bytes > partSize else {
      try finish(reading, of: fill, upload: nil)
      try BlobHashing(fill, spool: spool, parts: nil, courtesy: Courtesy(to: nil)).verify().get()
      return (try put(target, from: spool, over: &http), spool.bytes)
    }
    let courtesy = Courtesy(to: isShared ? readersAlong : nil)
    let upload = MultipartFill(
      target, spool: spool, pool: uploaders, parallelParts: limits.parallelParts,
      maxReadAhead: isShared ? nil : 2 * partSize * Int64(limits.parallelParts),
      courtesy: courtesy)
    uploads.withLock { $0.append(upload) }
    defer {
      uploads.withLock { $0.removeAll { $0 === upload } }
      if upload.isBeginningLost {
        observer.leftUpload(
          of: source.digest, .store("perhaps: an answer to CreateMultipartUpload was lost"))
      }
    }
    do throws(FillError) {
      let parts = BlobHashing.Parts(bytes: partSize, algorithm: upload.algorithm) {
        upload.add($0)
      }
      let hashing = BlobHashing(fill, spool: spool, parts: parts, courtesy: courtesy)
      let isAlongside = hashing.start(on: hashers)
      try finish(reading, of: fill, upload: upload)
      upload.endReading()
      if isAlongside { try hashing.waitForVerdict() } else { try hashing.verify().get() }
      let publication = try complete(upload, as: target, over: &http)
      if publication == .elsewhere { abort(upload, of: target, over: &http) }
      return (publication, spool.bytes)
    } catch {
      // At once: readers that wait for bytes need not wait for the upload's end.
      fill.fail(error)
      abort(upload, of: target, over: &http)
      // The bytes of others may be there though ours are not wanted any more.
      if upload.isElsewhere { return (.elsewhere, spool.bytes) }
      throw error
    }
  }

  private func reading(
    _ fill: BlobFill, _ source: FillSource, in room: FillRoom?
  ) throws(FillError) -> UpstreamReading {
    // Where the size is known, upstream is not asked for what there is no room for.
    var spool = room?.spool
    if spool == nil, let size = source.size {
      spool = try makeSpool(size, waits: false, recycles: false)
    }
    // It was let go of while it waited.
    guard let request = source.request.take() else { throw .stale }
    return UpstreamReading(
      fill, source: source, request: request, patience: request.limits.idle, spool: spool,
      means: .init { [connections] in
        connections.submit($0)
      } makeSpool: { [self] size throws(FillError) in
        // A size of 0 is one that only the end tells.
        try makeSpool(size, waits: false, recycles: room != nil && size > 0)
      })
  }

  private func makeSpool(_ size: Int64, waits: Bool, recycles: Bool) throws(FillError) -> Spool {
    guard let reservation = budget.reserve(size, waits: waits) else { throw .noRoom(size) }
    let partBytes = PartSize(for: size, preferred: limits.partBytes).bytes
    return try Spool(in: limits.spoolFolder, reservation, recycledBytes: recycles ? partBytes : nil)
  }

  private func finish(
    _ reading: UpstreamReading, of fill: BlobFill, upload: MultipartFill?
  ) throws(FillError) {
    try reading.finish(with: upload) { [table] in
      if table.isCancelled { return .stopping }
      upload?.goOn()
      // Where nothing can be published any more, only clients can want the rest.
      guard let end = upload?.end, fill.failUnlessFollowed(end) else { return nil }
      return end
    }
  }

  private func put(_ target: FillTarget, from spool: Spool, over http: inout HTTPClient)
    throws(FillError) -> Publication
  {
    if target.isPublished(over: &http) { return .elsewhere }
    let body = spool.body(0, count: target.size)
    let sha256 = try sha256(of: target, spool)
    return try publisher(target).publish(&http) { http, isConditional throws(S3Error) in
      try target.bucket.put(
        target.key, body, sha256: sha256, metadata: target.metadata, onlyIfAbsent: isConditional,
        over: &http, now: .now())
    }
  }

  /// A blob's own digest is what S3 is to check, if it is a SHA-256.
  private func sha256(of target: FillTarget, _ spool: Spool) throws(FillError) -> [UInt8] {
    if target.digest.algorithm == .sha256, let digest = Hex.decode(target.digest.encoded.span) {
      return digest
    }
    return try spool.sha256(from: 0, count: target.size)
  }

  private func complete(_ upload: MultipartFill, as target: FillTarget, over http: inout HTTPClient)
    throws(FillError) -> Publication
  {
    let outcome = try upload.waitForParts { [table] in table.isCancelled }
    guard case .parts(let multipart, let parts) = outcome else { return .elsewhere }
    return try publisher(target).publish(&http) { http, isConditional throws(S3Error) in
      try target.bucket.completeMultipartUpload(
        multipart, parts, onlyIfAbsent: isConditional, over: &http, now: .now())
    }
  }

  private func publisher(_ target: FillTarget) -> Publisher {
    Publisher(target: target) { [table] in !table.isCancelled }
  }

  private func abort(_ upload: MultipartFill, of target: FillTarget, over http: inout HTTPClient) {
    guard let multipart = upload.abandon() else { return }
    do throws(S3Error) {
      try Retry.run { () throws(S3Error) in
        try target.bucket.abortMultipartUpload(multipart, over: &http, now: .now())
      }
    } catch {
      observer.leftUpload(of: target.digest, .store(error.description))
    }
  }
}
