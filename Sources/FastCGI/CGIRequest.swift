internal import CLinux
internal import Glibc
internal import Threading

/// The one request that this process was started for: its params are the environment, its answer goes
/// to the standard output.
///
/// Source: RFC 3875.
final class CGIRequest: Request, @unchecked Sendable {
  // @unchecked: as the request; `ending` is shared with the thread that waits for it.

  /// How the answer ended: whole, or broken off.
  let ending: Monitor<Bool?>
  private let output: Int32

  init(output: Int32) {
    self.output = output
    ending = Monitor(nil)
    super.init(.responder, .ofProcess(), isOfOwnProcess: true)
  }

  deinit { abort() }

  override package func write(_ bytes: Span<UInt8>) -> Bool {
    unsafe bytes.withUnsafeBytes { bytes in
      var rest = unsafe bytes[...]
      while unsafe !rest.isEmpty {
        let count = unsafe Glibc.write(
          output, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        unsafe rest = unsafe rest.dropFirst(count)
      }
      return true
    }
  }

  override package func send(
    file: Int32, _ owner: AnyObject?, offset: Int64, count: Int64
  ) -> Bool {
    var at = off_t(offset)
    let end = off_t(offset + count)
    while at < end {
      let sent = unsafe sendfile(output, file, &at, min(end - at, 1 << 20))
      if sent > 0 || (sent < 0 && errno == EINTR) { continue }
      // A file that is appended to, or a terminal, takes no sendfile.
      guard sent < 0, errno == EINVAL, copy(file, from: &at, to: end) else { return false }
    }
    return true
  }

  private func copy(_ file: Int32, from at: inout off_t, to end: off_t) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let wanted = min(buffer.count, end - at)
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe pread(file, $0.baseAddress, wanted, at)
    }
    guard count > 0, write(buffer.span.extracting(0..<count)) else { return false }
    at += off_t(count)
    return true
  }

  /// There is nothing to say between the bytes of a CGI answer.
  override package func keepAlive() -> Bool { true }

  override package func finish() { end(isWhole: true) }

  override package func abort() { end(isWhole: false) }

  private func end(isWhole: Bool) {
    ending.update { if $0 == nil { $0 = isWhole } }
  }
}
