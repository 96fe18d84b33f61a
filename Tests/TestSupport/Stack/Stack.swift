internal import Foundation
internal import Threading

/// A running `Tests/Stack/stack.py`: the real servers that it started, on ports of their own.
///
/// They end with this value, and with the test process however that ends.
package final class Stack: @unchecked Sendable {
  // @unchecked: `facts_` and the pipe are used under `lock`.
  package struct Facts: Decodable, Sendable {
    package let directory: String
    package let socket: String
    package let pids: [String: Int32?]
    /// Exit statuses, or negated signals, of those that have ended.
    package let ended: [String: Int32?]
    package let registryUrl: String?
    package let registryAccessLog: String?
    package let s3Url: String?
    package let s3PublicUrl: String?
    package let nginxUrl: String?
    package let nginxAccessLog: String?
    package let nginxErrorLog: String?
    package let s3AccessLog: String?
    package let blobloLog: String?
    package let blobloSpool: String?
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  private struct Refusal: Decodable { let error: String }

  package static let user = "alice"
  package static let password = "alice-password"
  package static let accessKey = "AKIDTEST"
  package static let secretKey = "SECRETTEST"
  package static let bucket = "bloblo-blobs"

  private let program: Program
  private let lock = NSLock()
  private var latest: Facts

  /// Starts servers and waits until all of them answer.
  ///
  /// - Throws: a sentence that says which server is missing or does not start.
  package init(_ services: [String], options: [String] = []) throws {
    program = try Program(
      [
        "python3", "\(Self.root)/Tests/Stack/stack.py", "up", "--until-eof",
        "--services", services.joined(separator: ","), "--bloblo", Self.blobloPath,
      ] + options)
    guard let line = program.readLine() else {
      _ = program.wait()
      throw Failure(description: program.errorText)
    }
    latest = try Self.decode(line)
  }

  deinit { end() }

  /// What the servers said last.
  package var facts: Facts { lock.withLock { latest } }

  /// Asks a server to end, and waits until it has.
  package func stop(_ name: String) throws { try obey("stop \(name)") }

  /// Starts it again as it was, on the same port.
  package func start(_ name: String) throws { try obey("start \(name)") }

  /// - Parameter signal: as in `SIGKILL`.
  package func signal(_ name: String, _ signal: String) throws {
    try obey("signal \(name) \(signal)")
  }

  /// Waits until a server has ended by itself.
  ///
  /// - Returns: its exit status, or the negated signal.
  package func exitStatus(of name: String, within limit: Duration = patience) throws -> Int32? {
    var status: Int32?
    _ = try eventually(within: limit) {
      try obey("facts")
      status = facts.ended[name] ?? nil
      return status != nil
    }
    return status
  }

  /// Ends all servers and waits until they have ended.
  package func end() {
    program.closeInput()
    // Nobody is there any more to be thrown at; what `written.py` finds at the end is an error.
    if let status = program.wait(), status != 0 {
      FileHandle.standardError.write(Data("stack.py: \(status) \(program.errorText)\n".utf8))
    }
  }

  private func obey(_ command: String) throws {
    try lock.withLock {
      guard program.write(Array((command + "\n").utf8)), let line = program.readLine() else {
        throw Failure(description: "stack.py has ended: \(program.errorText)")
      }
      latest = try Self.decode(line)
    }
  }

  private static func decode(_ line: String) throws -> Facts {
    let data = Data(line.utf8)
    if let refusal = try? JSONDecoder().decode(Refusal.self, from: data) {
      throw Failure(description: refusal.error)
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Facts.self, from: data)
  }

  /// The repository's top folder.
  package static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// The program that was built with these tests.
  package static let blobloPath: String =
    ProcessInfo.processInfo.environment["BLOBLO_TEST_PROGRAM"]
    ?? URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("bloblo").path
}
