internal import CLinux
internal import Glibc

/// A command line, run by the shell.
package struct ShellCommand {
  /// Bytes of output that are read at most.
  private static let outputLimit = 1 << 20

  package struct Outcome {
    /// As of `exit`; 128 and the signal's number for one that was ended.
    package let status: Int32
    package let bytes: [UInt8]
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  private let line: String

  package init(_ line: String) { self.line = line }

  /// - Returns: what it wrote to its standard output; its error stream is ours.
  /// - Throws: when it can't be started, writes too much, or is not done in time; it is ended then.
  package func run(within limit: Duration) throws(Failure) -> Outcome {
    var ends: [Int32] = [0, 0]
    guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw Failure(description: "no pipe") }
    let reading = ends[0]
    defer { close(reading) }
    let started = start(writingTo: ends[1])
    close(ends[1])
    guard let process = started else { throw Failure(description: "/bin/sh can't be started") }

    let deadline = ContinuousClock.now + limit
    var bytes: [UInt8] = []
    while true {
      var waiting = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
      let left = (deadline - .now).components.seconds
      guard left >= 0, bytes.count <= Self.outputLimit else { break }
      guard unsafe poll(&waiting, 1, Int32(min(left + 1, 60)) * 1000) > 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe read(reading, $0.baseAddress, $0.count)
      }
      guard count > 0 else {
        // It may have closed its output and live on.
        guard let status = end(of: process, by: deadline) else { break }
        return Outcome(status: status, bytes: bytes)
      }
      bytes.append(contentsOf: buffer[..<count])
    }
    kill(-process, SIGKILL)
    _ = end(of: process, by: .now + .seconds(5))
    throw Failure(description: "it was not done within \(limit), or wrote without end")
  }

  /// In a process group of its own, with no descriptor of ours but the three, and no signal blocked or ignored.
  private func start(writingTo output: Int32) -> pid_t? {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    var ignored = sigset_t()
    unsafe sigemptyset(&ignored)
    unsafe sigaddset(&ignored, SIGPIPE)
    unsafe posix_spawnattr_setsigdefault(&attributes, &ignored)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

    var words: [UnsafeMutablePointer<CChar>?] = unsafe [
      strdup("/bin/sh"), strdup("-c"), strdup(line), nil,
    ]
    defer {
      for i in unsafe words.indices { unsafe free(words[i]) }
    }
    var process: pid_t = 0
    let code = unsafe posix_spawn(&process, "/bin/sh", &actions, &attributes, &words, environ)
    return code == 0 ? process : nil
  }

  /// - Returns: `nil` when it has not ended by then.
  private func end(of process: pid_t, by deadline: ContinuousClock.Instant) -> Int32? {
    var status: Int32 = 0
    while true {
      let found = unsafe waitpid(process, &status, WNOHANG)
      if found == process { break }
      if found < 0, errno != EINTR { return -1 }
      guard ContinuousClock.now < deadline else { return nil }
      usleep(2000)
    }
    // WIFEXITED, WEXITSTATUS and WTERMSIG are macros.
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}
