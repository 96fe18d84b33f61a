internal import Glibc

/// Writes lines to the error stream: for people who start the program, before there is a log.
package func complain(_ lines: [String]) {
  guard !lines.isEmpty else { return }
  let text = Array((lines.joined(separator: "\n") + "\n").utf8)
  // Nothing useful can be done if the error stream can't be written.
  _ = unsafe text.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
