import Foundation
import Testing

/// A Python script that answers each line with a line; it ends with us.
final class PythonPartner {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var unread = Data()

  /// - Parameter script: beside this file.
  init(_ script: String) throws {
    let python = ProcessInfo.processInfo.environment["BLOBLO_TEST_PYTHON"] ?? "python3"
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      python,
      URL(filePath: #filePath).deletingLastPathComponent().appending(path: script).path,
    ]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  func readLine() throws -> String {
    while true {
      if let end = unread.firstIndex(of: 0x0A) {
        defer { unread = Data(unread[(end + 1)...]) }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      let more = output.fileHandleForReading.availableData
      try #require(!more.isEmpty, "the script has ended; `make test` installs what it needs")
      unread.append(more)
    }
  }

  func ask(_ question: some Encodable) throws -> String {
    try input.fileHandleForWriting.write(contentsOf: JSONEncoder().encode(question) + [0x0A])
    return try readLine()
  }
}
