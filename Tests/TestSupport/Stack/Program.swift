internal import CLinux
internal import Glibc
internal import Threading

/// A program that runs beside the test, with pipes to its standard streams.
///
/// Foundation's `Process` wants a run loop and leaks descriptors into children; this does neither.
@safe
package final class Program: @unchecked Sendable {
  // @unchecked: `status` is guarded by `ending`; the rest does not change.
  package let pid: Int32
  private let input: Int32
  package let output: Int32
  private let errors: Drain
  private let ending = Monitor<Int32?>(nil)

  /// What a program has left behind.
  package struct Result: Sendable {
    /// The exit status, or the negated number of the signal that ended it.
    package let status: Int32
    package let output: [UInt8]
    package let errors: String
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Parameters:
  ///   - words: the path or name of the program and its arguments.
  ///   - environment: the whole of it; `nil` gives on the test's own.
  ///   - input: what its descriptor 0 is; `nil` makes a pipe for `write(_:)`.
  package init(_ words: [String], environment: [String: String]? = nil, input: Int32? = nil) throws
  {
    let (inputRead, inputWrite) = input.map { ($0, Int32(-1)) } ?? pipe()
    let (outputRead, outputWrite) = pipe()
    let (errorsRead, errorsWrite) = pipe()
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, inputRead, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, outputWrite, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errorsWrite, 2)
    // Of the other tests' connections too: one that a program holds does not end when its test closes it.
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    // The threads of the pool that tests run on have their signals blocked, and children inherit that.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var noSignals = sigset_t()
    unsafe sigemptyset(&noSignals)
    unsafe posix_spawnattr_setsigmask(&attributes, &noSignals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var pid: pid_t = 0
    let code = unsafe withCStrings(words) { arguments in
      if let environment {
        unsafe withCStrings(environment.map { "\($0)=\($1)" }) {
          unsafe posix_spawnp(&pid, arguments[0]!, &actions, &attributes, arguments, $0)
        }
      } else {
        unsafe posix_spawnp(&pid, arguments[0]!, &actions, &attributes, arguments, environ)
      }
    }
    if input == nil { close(inputRead) }
    close(outputWrite)
    close(errorsWrite)
    self.pid = pid
    self.input = inputWrite
    self.output = outputRead
    errors = Drain(errorsRead, isOfBloblo: words.contains(Stack.blobloPath) && !isStack(words))
    guard code == 0 else {
      throw Failure(description: "\(words[0]) can't be started: is Tests/Stack/install done?")
    }
    let (ending, child) = (ending, pid)
    Threading.Thread.start("wait") {
      var status: Int32 = 0
      while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
      let isExit = status & 0x7F == 0
      let result = isExit ? status >> 8 & 0xFF : -(status & 0x7F)
      ending.update { $0 = result }
    }?.detach()
  }

  deinit {
    closeInput()
    close(output)
    // 0 when it was never started, and would be this process's group.
    if pid > 0, ending.withLock({ $0 }) == nil { kill(pid, SIGKILL) }
  }

  /// Runs a program to its end.
  package static func run(
    _ words: [String], environment: [String: String]? = nil, input: [UInt8] = []
  ) throws -> Result {
    let program = try Program(words, environment: environment)
    let writer = Threading.Thread.start("stdin") {
      _ = program.write(input)
      program.closeInput()
    }
    let output = program.readAll()
    writer?.join()
    return Result(
      status: program.wait() ?? .max, output: output, errors: program.errorText)
  }

  private let inputState = Monitor(true)

  package func write(_ bytes: [UInt8]) -> Bool { writeAll(input, bytes) }

  package func closeInput() {
    let isOpen = inputState.withLock { isOpen in
      defer { isOpen = false }
      return isOpen
    }
    if isOpen, input >= 0 { close(input) }
  }

  package func signal(_ number: Int32) { kill(pid, number) }

  /// Waits for the end.
  ///
  /// - Returns: the exit status or the negated signal; `nil` when it runs on.
  package func wait(for limit: Duration = patience) -> Int32? {
    let status: Int32? = ending.wait(for: limit) { $0 }
    if status != nil { errors.wait() }
    return status
  }

  /// What has come on the error stream so far.
  package var errorText: String { errors.text }

  /// All that is still to come on the output.
  package func readAll() -> [UInt8] { readToEnd(output) }

  /// The next line of the output, without its end; `nil` at the end of the stream.
  package func readLine() -> String? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while unsafe read(output, &byte, 1) == 1 {
      if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
    return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
  }
}

/// `stack.py` keeps what its bloblo wrote by itself.
private func isStack(_ words: [String]) -> Bool { words.contains { $0.hasSuffix("/stack.py") } }

/// Reads a stream to its end on a thread of its own.
private final class Drain: Sendable {
  private let state = Monitor((bytes: [UInt8](), isDone: false))

  init(_ descriptor: Int32, isOfBloblo: Bool) {
    let state = state
    Threading.Thread.start("stderr") {
      var buffer = [UInt8](repeating: 0, count: 16 << 10)
      while true {
        let count = unsafe read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        let piece = Array(buffer[..<count])
        state.update { $0.bytes += piece }
      }
      close(descriptor)
      if isOfBloblo {
        Written.wrote(String(decoding: state.withLock { $0.bytes }, as: UTF8.self))
      }
      state.update { $0.isDone = true }
    }?.detach()
  }

  var text: String { String(decoding: state.withLock { $0.bytes }, as: UTF8.self) }

  func wait() { _ = state.wait(for: .seconds(30)) { $0.isDone ? true : nil } }
}

/// Both ends are closed in programs that are started, from the first instant: another thread may start one
/// meanwhile, and who holds an end that it does not know of keeps the other side waiting for ever.
private func pipe() -> (Int32, Int32) {
  var ends: [Int32] = [-1, -1]
  guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { fatalError("no pipe to be had") }
  return (ends[0], ends[1])
}

func readToEnd(_ descriptor: Int32) -> [UInt8] {
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 256 << 10)
  while true {
    let count = unsafe read(descriptor, &buffer, buffer.count)
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { return all }
    all += buffer[..<count]
  }
}

func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
  var at = 0
  while at < bytes.count {
    let count = unsafe bytes.withUnsafeBytes {
      unsafe write(descriptor, $0.baseAddress! + at, bytes.count - at)
    }
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { return false }
    at += count
  }
  return true
}

@unsafe private func withCStrings<Result>(
  _ words: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  var copies: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) }
  unsafe copies.append(nil)
  defer { for i in unsafe copies.indices { unsafe free(copies[i]) } }
  return unsafe copies.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
}
