internal import FastCGI
internal import Fill
internal import HTTPTransport
internal import Logging
internal import Offload
internal import Registry
internal import Telemetry
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
  /// How long a client waits until the first byte of its range is in the spool.
  private static let rangePatience = Duration.seconds(2)

  private let loop: EventLoop
  /// Until the client has got all, or is gone: while it lives, the fill goes on.
  private var follower: FillFollower?
  private let wanted: WantedBytes
  private let exchange: BlobExchange
  private let recorder: RequestRecorder
  private let passer: Passer
  private var reader: BlobReader?
  private var hasBegun = false
  private var bytes: Range<Int64> = 0..<0
  private var offset: Int64 = 0
  /// Runs until upstream answers, until a range begins, or while nothing comes.
  private var timer: LoopTimer?
  private var isOver = false
  /// The fields of the log line at the end; `nil` when there will be no line.
  private var line: Logger.Metadata?

  private var request: Request { exchange.request }

  /// Why no bytes are sent.
  enum NoBytes {
    /// `nil`: upstream has not answered in time.
    case failure(FillError?)
    case range
  }

  init(
    _ follower: FillFollower, wanted: WantedBytes, for exchange: BlobExchange,
    recorder: RequestRecorder,
    passer: Passer, on loop: EventLoop
  ) {
    self.follower = follower
    self.wanted = wanted
    self.exchange = exchange
    self.recorder = recorder
    self.passer = passer
    self.loop = loop
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
    switch follower?.beginning(orWhenChanged: wake) {
    case .asking?, nil: return
    case .broken(let error)?: pass(.failure(error))
    case .reader(let reader)?:
      cancelTimer()
      guard let bytes = wanted.bytes(of: reader.size) else { return pass(.range) }
      self.reader = reader
      self.bytes = bytes
      offset = bytes.lowerBound
      if wanted.isPart { passLater(.range, after: Self.rangePatience) } else { begin() }
    }
  }

  private func begin() {
    guard !hasBegun, let reader else { return }
    hasBegun = true
    line = recorder.begin(.tee, exchange, size: reader.size)
    exchange.location.front.begin(
      request, fields: reader.head.fields, size: reader.size, range: wanted.isWhole ? nil : bytes,
      exchange.blob.path.digest)
  }

  private func send(from reader: BlobReader) {
    guard offset < bytes.upperBound else { return finish() }
    switch reader.progress(beyond: offset, orWhenChanged: wake) {
    // A call that brings nothing does not begin the silence anew.
    case .waiting: if hasBegun, timer == nil { waitForBytes() }
    case .broken: if hasBegun { breakOff() } else { pass(.range) }
    case .available(let end):
      cancelTimer()
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
    passer.pass(exchange, because: .cold(ColdReason(reason)))
  }

  private func finish() {
    stop()
    recorder.end(line, by: .teed, bytes: offset - bytes.lowerBound)
    request.finish()
  }

  private func breakOff() {
    let (sent, size) = (offset - bytes.lowerBound, reader?.size ?? 0)
    stop()
    recorder.end(line, by: .teed, bytes: sent)
    recorder.log.brokenOff(exchange.blob, after: sent, of: size)
    request.abort()
  }

  private func cancelTimer() {
    timer?.cancel()
    timer = nil
  }

  /// Lets go of the fill: it still holds this stream, as the one to wake when bytes come.
  private func stop() {
    isOver = true
    cancelTimer()
    follower = nil
    reader = nil
  }
}

extension ColdReason {
  fileprivate init(_ reason: TeeStream.NoBytes) {
    self =
      switch reason {
      case .range: .range
      case .failure(.notFollowed(let refusal)?): .redirect("\(refusal)")
      case .failure(let error): .upstream(error?.description ?? "no answer in time")
      }
  }
}
