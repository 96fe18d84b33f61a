internal import HTTPTransport
internal import Registry

/// Takes upstream's answer into the spool, and tells those who read there.
///
/// libcurl reads much at once and hands it on by 16 KiB. What it has read is written in one piece: when it
/// looks up from its work, and at the latest when there is as much as it reads at once.
final class UpstreamReading: HTTPReceiver {
  private static let pieceBytes = 128 << 10

  private let fill: BlobFill
  private let spool: Spool
  private let pace: (Int64) -> Void
  private let whyStop: () -> FillError?
  /// What has come and is not in the spool yet.
  private var piece: [UInt8] = []
  /// Where the spool ends.
  private var offset: Int64 = 0
  private var patience: Patience
  /// Why this side stopped the reading.
  private(set) var failure: FillError?

  /// - Parameters:
  ///   - patience: how long it may crawl while no client reads along.
  ///   - pace: told where the spool ends; takes as long as the next piece shall wait.
  ///   - whyStop: asked at each piece, and at least about once a second.
  init(
    _ fill: BlobFill, _ spool: Spool, patience: Duration, pace: @escaping (Int64) -> Void,
    whyStop: @escaping () -> FillError?
  ) {
    self.fill = fill
    self.spool = spool
    self.patience = Patience(time: patience)
    self.pace = pace
    self.whyStop = whyStop
  }

  /// Only a full 200 of exactly the size that was promised is worth reading.
  func receive(head: HTTPResponseHead) -> Bool {
    if let words = whyUnusable(head) { return stop(.upstream(words)) }
    fill.begin(head, spool)
    return true
  }

  func receive(body bytes: Span<UInt8>) -> Bool {
    guard offset + Int64(piece.count + bytes.count) <= fill.size else {
      return stop(.long(fill.size))
    }
    unsafe bytes.withUnsafeBufferPointer { unsafe piece.append(contentsOf: $0) }
    return piece.count < Self.pieceBytes || advance()
  }

  /// libcurl asks after each of its readings, and about once a second while there are none.
  ///
  /// A client that reads along bears as slow an upstream as it would without us; where there is none,
  /// a place among the fills is worth more.
  func isStillWanted() -> Bool {
    guard advance() else { return false }
    guard patience.isOver(at: offset) else { return true }
    let reason = FillError.upstream("fewer than \(Patience.bytes) bytes in \(patience.time)")
    return fill.breakOffUnlessFollowed(reason) ? stop(reason) : true
  }

  /// Whether all bytes came; their digest is `BlobHashing`'s to compare.
  func checkLength() throws(FillError) {
    guard advance() else { throw failure ?? .short(fill.size, offset) }
    guard offset == fill.size else { throw .short(fill.size, offset) }
  }

  /// Writes what has come.
  private func advance() -> Bool {
    if let reason = whyStop() { return stop(reason) }
    guard !piece.isEmpty else { return true }
    do throws(FillError) {
      try spool.write(piece.span, at: offset)
    } catch {
      return stop(error)
    }
    offset += Int64(piece.count)
    piece.removeAll(keepingCapacity: true)
    fill.advance(to: offset)
    pace(offset)
    return true
  }

  private func whyUnusable(_ head: HTTPResponseHead) -> String? {
    guard head.status == 200 else { return "want status 200, got \(head.status)" }
    guard head.contentLength == fill.size else {
      return
        "want Content-Length \(fill.size), got \(head.contentLength.map(String.init) ?? "none")"
    }
    if let encoding = head.fields.first(named: "content-encoding") {
      return "Content-Encoding \(encoding.text)"
    }
    if head.isPage { return "a page for people" }
    if let digest = head.fields.first(named: "docker-content-digest"),
      digest.value != fill.digest.bytes
    {
      return "Docker-Content-Digest \(digest.text)"
    }
    return nil
  }

  private func stop(_ error: FillError) -> Bool {
    failure = error
    return false
  }
}

/// How long a reading may crawl: the deadline of a fill is one by progress, not by size.
private struct Patience {
  static let bytes: Int64 = 64 << 10

  let time: Duration
  private var offset: Int64 = 0
  private var since = ContinuousClock.now

  init(time: Duration) { self.time = time }

  /// Whether `bytes` have not come within `time`.
  mutating func isOver(at offset: Int64) -> Bool {
    let now = ContinuousClock.now
    if offset - self.offset >= Self.bytes {
      (self.offset, since) = (offset, now)
    }
    return now - since > time
  }
}
