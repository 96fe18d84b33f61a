internal import Glibc
internal import Primitives
internal import Registry
internal import Synchronization

/// Reports on blobs: a bar on a terminal, a line for each blob elsewhere, and a summary.
package final class WarmReport: Sendable {
  private struct State {
    var (filled, present, skipped, failed) = (0, 0, 0, 0)
    var filledBytes: Int64 = 0
    /// The bytes of all blobs that were found so far.
    var blobs = 0
    var bytes: Int64 = 0
    /// The bytes of finished blobs.
    var doneBytes: Int64 = 0
    /// The bytes of blobs in progress.
    var current: [Digest: Int64] = [:]
    var nextBar = ContinuousClock.now

    var done: Int { filled + present + skipped + failed }
  }

  /// The largest size that is shown; it can be multiplied without overflow.
  private static let mostBytes: Int64 = 1 << 56

  private let isTerminal: Bool
  private let start = ContinuousClock.now
  private let state = Mutex(State())

  package init(isTerminal: Bool) { self.isTerminal = isTerminal }

  package var hasFailures: Bool { state.withLock { $0.failed > 0 } }

  package func add(image: String, _ blobs: [ImageBlob]) {
    state.withLock { state in
      state.blobs += blobs.count
      // The author of a manifest chooses its sizes: they may be nonsense.
      for blob in blobs { state.bytes = min(state.bytes + blob.size, Self.mostBytes) }
    }
    if !isTerminal { say("image \(image): \(blobs.count) blobs") }
  }

  package func failed(image: String, _ why: String) {
    state.withLock { $0.failed += 1 }
    say("failed \(image): \(why)")
  }

  func filled(_ blob: ImageBlob) {
    done(blob, word: "filled") { state in
      state.filled += 1
      state.filledBytes += blob.size
    }
  }

  func present(_ blob: ImageBlob) { done(blob, word: "present") { $0.present += 1 } }

  /// A layer that its image's registry does not hand out.
  func skipped(_ blob: ImageBlob) { done(blob, word: "skipped") { $0.skipped += 1 } }

  func failed(_ blob: ImageBlob, _ why: String) {
    done(blob, word: nil) { $0.failed += 1 }
    say("failed \(blob.digest) \(bytesInWords(blob.size)): \(why)")
  }

  func advance(_ blob: ImageBlob, to offset: Int64) {
    guard isTerminal else { return }
    state.withLock { state in
      state.current[blob.digest] = offset
      draw(&state, isForced: false)
    }
  }

  package func finish() {
    let state = state.withLock { state in
      state
    }
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    let tenths = seconds * 10 + attoseconds / 100_000_000_000_000_000
    say(
      "\(state.filled) filled (\(bytesInWords(state.filledBytes))), \(state.present) present, "
        + (state.skipped > 0 ? "\(state.skipped) skipped, " : "")
        + "\(state.failed) failed, in \(tenths / 10).\(tenths % 10) s")
  }

  /// Prints one line. The bar is wiped before and drawn again with the next byte.
  func say(_ line: String) {
    state.withLock { _ in
      if isTerminal { put("\r\u{1B}[K", to: STDERR_FILENO) }
      put(line.printable + "\n", to: STDOUT_FILENO)
    }
  }

  private func done(_ blob: ImageBlob, word: String?, count: (inout State) -> Void) {
    state.withLock { state in
      count(&state)
      state.current[blob.digest] = nil
      state.doneBytes = min(state.doneBytes + blob.size, Self.mostBytes)
      if isTerminal { draw(&state, isForced: true) }
    }
    if !isTerminal, let word { say("\(word) \(blob.digest) \(bytesInWords(blob.size))") }
  }

  private func draw(_ state: inout State, isForced: Bool) {
    let now = ContinuousClock.now
    guard isForced || now >= state.nextBar else { return }
    state.nextBar = now + .milliseconds(100)
    let bytes = min(state.doneBytes + state.current.values.reduce(0, +), Self.mostBytes)
    let width = 30
    let filled = state.bytes > 0 ? Int(bytes * Int64(width) / state.bytes) : 0
    let bar =
      String(repeating: "#", count: min(width, filled))
      + String(repeating: ".", count: max(0, width - filled))
    put(
      "\r\u{1B}[K[\(bar)] \(bytesInWords(bytes)) of \(bytesInWords(state.bytes)), blob "
        + "\(state.done) of \(state.blobs)", to: STDERR_FILENO)
  }
}

private func put(_ text: String, to descriptor: Int32) {
  let bytes = Array(text.utf8)
  // Nothing useful can be done if the output is closed.
  _ = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
}
