internal import Glibc

/// What one transfer knows while libcurl runs it.
final class Exchange {
  private let receiver: any HTTPReceiver
  private let limits: HTTPLimits
  private let body: HTTPBody
  private let start = ContinuousClock.now
  private var parser = HeadParser()
  private var lastProgress = ContinuousClock.now
  private var bytesMoved: Int64 = 0
  private var bytesSent: Int64 = 0
  private(set) var head: HTTPResponseHead?
  /// Set when this side broke the transfer off.
  private(set) var ending: TransportError?

  init(_ request: HTTPRequest, _ receiver: any HTTPReceiver) {
    self.receiver = receiver
    limits = request.limits
    body = request.body
  }

  func receive(fieldLine line: Span<UInt8>) -> Bool {
    // After the body come trailers, through the same door.
    guard head == nil else { return true }
    switch parser.take(line) {
    case .more: return true
    case .invalid(let why): return end(.broken, why)
    case .head(let head):
      if head.status < 200 { return true }
      self.head = head
      return receiver.receive(head: head) ? true : end(.stopped, "the response was not wanted")
    }
  }

  func receive(body bytes: Span<UInt8>) -> Bool {
    receiver.receive(body: bytes) ? true : end(.stopped, "the body was not wanted")
  }

  /// Puts the next bytes of the request's body into `buffer`; `nil` when they can't be read.
  @unsafe func send(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    switch body {
    case .none: return 0
    case .bytes(let bytes):
      let count = min(buffer.count, bytes.count - Int(bytesSent))
      let rest = bytes[Int(bytesSent)..<(Int(bytesSent) + count)]
      unsafe buffer.copyBytes(from: rest)
      bytesSent += Int64(count)
      return count
    case .file(let descriptor, let offset, let total):
      let wanted = min(Int64(buffer.count), total - bytesSent)
      guard wanted > 0 else { return 0 }
      let count = unsafe pread(
        descriptor, buffer.baseAddress, Int(wanted), off_t(offset + bytesSent))
      guard count > 0 else {
        _ = end(.invalid, "the file to send ended, or can't be read")
        return nil
      }
      bytesSent += Int64(count)
      return count
    }
  }

  /// libcurl sends the body again, on another connection.
  func seek(to offset: Int64) { bytesSent = offset }

  /// Called by libcurl at least once a second.
  ///
  /// - Parameter bytes: all bytes moved so far, in either direction.
  func shouldContinue(bytes: Int64) -> Bool {
    let now = ContinuousClock.now
    // A body that is sent again counts from its beginning.
    if bytes < bytesMoved || bytes - bytesMoved >= limits.minimumProgress {
      bytesMoved = bytes
      lastProgress = now
    }
    if head == nil, case .none = body, now - start > limits.head {
      return end(.timeout, "no response within \(limits.head)")
    }
    if let total = limits.total, now - start > total {
      return end(.timeout, "not over within \(total)")
    }
    guard now - lastProgress <= limits.idle else {
      return end(.timeout, "fewer than \(limits.minimumProgress) bytes moved in \(limits.idle)")
    }
    return receiver.isStillWanted() ? true : end(.stopped, "the response is no longer wanted")
  }

  private func end(_ kind: TransportError.Kind, _ words: String) -> Bool {
    ending = TransportError(kind, words)
    return false
  }
}
