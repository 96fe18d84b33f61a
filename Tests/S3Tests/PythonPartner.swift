import Foundation
import TestSupport
import Testing

/// A Python script that answers each line with a line; it ends with us.
final class PythonPartner {
  private let program: Program

  /// - Parameter script: beside this file.
  init(_ script: String) throws {
    program = try Program(pythonCommand(script))
  }

  deinit {
    program.closeInput()
    _ = program.wait()
  }

  func readLine() throws -> String {
    try #require(
      program.readLine(),
      "the script has ended; `make test` installs what it needs: \(program.errorText)")
  }

  func ask(_ question: some Encodable) throws -> String {
    _ = try program.write(Array(JSONEncoder().encode(question)) + [0x0A])
    return try readLine()
  }
}

/// Runs a script beside this file.
func pythonCommand(_ script: String) -> [String] {
  [
    ProcessInfo.processInfo.environment["BLOBLO_TEST_PYTHON"] ?? "python3",
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: script).path,
  ]
}
