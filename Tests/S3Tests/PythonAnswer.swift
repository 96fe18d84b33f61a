import Foundation
import Testing

/// What a script beside this file answers to a JSON question on its standard input.
func answer(of script: String, to question: some Encodable) throws -> Data {
  let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: script)
  let python = ProcessInfo.processInfo.environment["BLOBLO_TEST_PYTHON"] ?? "python3"
  // By way of a file: the cases are more than a pipe holds.
  let input = FileManager.default.temporaryDirectory
    .appending(path: "bloblo-question-\(UUID().uuidString).json")
  try JSONEncoder().encode(question).write(to: input)
  defer { try? FileManager.default.removeItem(at: input) }

  let process = Process()
  let output = Pipe()
  process.executableURL = URL(filePath: "/usr/bin/env")
  process.arguments = [python, script.path]
  process.standardInput = try FileHandle(forReadingFrom: input)
  process.standardOutput = output
  try process.run()
  let answer = try output.fileHandleForReading.readToEnd() ?? Data()
  process.waitUntilExit()
  try #require(
    process.terminationStatus == 0,
    "\(python) lacks what \(script.lastPathComponent) needs: `make test` installs it and sets BLOBLO_TEST_PYTHON"
  )
  return answer
}
