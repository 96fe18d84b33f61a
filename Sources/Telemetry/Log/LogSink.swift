internal import Glibc
internal import Primitives
internal import Synchronization
internal import Threading

/// Writes log lines to a descriptor: at once if the descriptor takes them, and else on a thread of its own.
///
/// A log reader that stops reading blocks only that thread: requests, fills and the stop go on. Lines that no longer
/// fit into the queue are dropped and counted.
package final class LogSink: Sendable {
  /// The process's error stream.
  package static let standardError = LogSink(STDERR_FILENO)

  private static let linesLimit = 16_384
  private static let bytesLimit = 4 << 20
  /// A pipe that is ready takes this many bytes without blocking. Source: pipe(7), `PIPE_BUF`.
  private static let wholeBytes = 4096

  private struct State {
    var lines = RingBuffer<[UInt8]>()
    var bytes = 0
    /// Lines that were dropped and are not reported yet.
    var dropped: Int64 = 0
    var isStarted = false
    var isWriting = false
  }

  /// All lines that were ever dropped.
  package let droppedLines = Counter()
  private let descriptor: Int32
  private let state: Monitor<State>

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    state = Monitor(State())
  }

  /// Writes or queues a line, with the line end that it brings. Never waits for the reader.
  func write(_ line: [UInt8]) {
    let needsThread = state.updateForOne { state in
      if state.lines.count == 0, !state.isWriting, line.count <= Self.wholeBytes, isReady {
        put(line)
        return false
      }
      guard state.lines.count < Self.linesLimit, state.bytes + line.count <= Self.bytesLimit else {
        state.dropped += 1
        droppedLines.add()
        return false
      }
      state.lines.append(line)
      state.bytes += line.count
      defer { state.isStarted = true }
      return !state.isStarted
    }
    guard needsThread else { return }
    guard let thread = Thread.start("log", { self.run() }) else {
      state.withLock { $0.isStarted = false }
      return
    }
    thread.detach()
  }

  /// The number of lines that were dropped since the last call.
  package func takeDropped() -> Int64 {
    state.withLock { state in
      defer { state.dropped = 0 }
      return state.dropped
    }
  }

  /// Waits until all lines are written, at most for `limit`.
  package func flush(within limit: Duration) {
    _ = state.wait(for: limit) { state in
      // Without a thread the queue is not written.
      state.lines.count == 0 && !state.isWriting || !state.isStarted ? true : nil
    }
  }

  /// Whether the descriptor takes bytes now.
  private var isReady: Bool {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&waiting, 1, 0) == 1
  }

  private func run() {
    while true {
      let next: [UInt8]?? = state.wait { state in
        guard let line = state.lines.popFirst() else { return nil }
        state.bytes -= line.count
        state.isWriting = true
        return .some(line)
      }
      if let line = next ?? nil { put(line) }
      // Wakes those that flush.
      state.update { $0.isWriting = false }
    }
  }

  private func put(_ line: [UInt8]) {
    unsafe line.withUnsafeBytes { bytes in
      var rest = unsafe bytes[...]
      while unsafe !rest.isEmpty {
        let count = unsafe Glibc.write(
          descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count > 0 {
          unsafe rest = unsafe rest.dropFirst(count)
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = unsafe poll(&waiting, 1, -1)
        } else if errno != EINTR {
          // Nothing useful can be done when the log can't be written.
          return
        }
      }
    }
  }
}
