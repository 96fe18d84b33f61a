internal import FastCGI
internal import Fill
internal import Threading

/// One client that reads a blob along with its fill, at its own pace. It is a state on the loop and holds no thread:
/// it goes on when new bytes are in the spool and the web server has taken the last ones.
final class TeeStream: @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.

  /// Bytes that are sent in one turn of the loop. The count of bytes that a client got before it left is wrong by one
  /// of these at most.
  private static let pieceBytes: Int64 = 256 << 10
  /// Web servers take a longer silence for the end of the answer.
  private static let silence = Duration.seconds(2)

  private let loop: EventLoop
  private let follower: FillFollower
  private let request: Request
  private let client: Client
  private var reader: BlobReader?
  private var hasBegun = false
  private var bytes: Range<Int64> = 0..<0
  private var offset: Int64 = 0
  private var timer: LoopTimer?
  private var isOver = false

  /// The request that the stream answers.
  struct Client {
    /// Which bytes of the blob are wanted; `nil` for a range that can't be satisfied.
    let bytes: (_ size: Int64) -> Range<Int64>?
    /// How long the first byte may take; `nil` for as long as the reading goes on.
    let patience: Duration?
    /// Sends the answer's head.
    let begin: (BlobReader, Range<Int64>) -> Void
    /// Is called instead when no bytes are sent.
    let pass: (NoBytes) -> Void
    /// Is called when the body has ended.
    let end: (_ bytes: Int64, _ isWhole: Bool) -> Void
  }

  /// Why no bytes are sent.
  enum NoBytes {
    /// `nil`: upstream has not answered in time.
    case failure(FillError?)
    case range
  }

  init(_ follower: FillFollower, to request: Request, on loop: EventLoop, for client: Client) {
    self.follower = follower
    self.request = request
    self.loop = loop
    self.client = client
  }

  /// - Parameter patience: for upstream's answer.
  func start(within patience: Duration) {
    passLater(.failure(nil), after: patience)
    goOn()
  }

  private func goOn() {
    guard !isOver else { return }
    if reader == nil { findReader() }
    if let reader, !isOver { send(from: reader) }
  }

  private func findReader() {
    switch follower.beginning(orWhenChanged: wake) {
    case .asking: return
    case .broken(let error): pass(.failure(error))
    case .reader(let reader):
      timer?.cancel()
      guard let bytes = client.bytes(reader.size) else { return pass(.range) }
      self.reader = reader
      self.bytes = bytes
      offset = bytes.lowerBound
      if let patience = client.patience { passLater(.range, after: patience) } else { begin() }
    }
  }

  private func begin() {
    guard !hasBegun, let reader else { return }
    hasBegun = true
    client.begin(reader, bytes)
  }

  private func send(from reader: BlobReader) {
    if hasBegun { timer?.cancel() }
    guard offset < bytes.upperBound else { return finish() }
    switch reader.progress(beyond: offset, orWhenChanged: wake) {
    case .waiting: if hasBegun { waitForBytes() }
    case .broken: if hasBegun { breakOff() } else { pass(.range) }
    case .available(let end):
      timer?.cancel()
      begin()
      let piece = min(min(end, bytes.upperBound) - offset, Self.pieceBytes)
      guard request.send(file: reader.descriptor, reader, offset: offset, count: piece) else {
        return breakOff()
      }
      offset += piece
      if request.isDrained {
        loop.after(.zero) { self.goOn() }
      } else {
        request.whenDrained { self.goOn() }
      }
    }
  }

  /// Sends signs of life until bytes come.
  private func waitForBytes() {
    timer = loop.after(Self.silence) { [self] in
      if request.keepAlive() { waitForBytes() } else { breakOff() }
    }
  }

  /// Makes the loop call `goOn`, from any thread.
  private var wake: @Sendable () -> Void {
    { [self] in loop.submit { self.goOn() } }
  }

  private func passLater(_ reason: NoBytes, after patience: Duration) {
    timer = loop.after(patience) { [self] in pass(reason) }
  }

  private func pass(_ reason: NoBytes) {
    stop()
    client.pass(reason)
  }

  private func finish() {
    stop()
    client.end(offset - bytes.lowerBound, true)
    request.finish()
  }

  private func breakOff() {
    stop()
    client.end(offset - bytes.lowerBound, false)
    request.abort()
  }

  private func stop() {
    isOver = true
    timer?.cancel()
  }
}
