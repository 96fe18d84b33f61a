import Foundation
import TestSupport
import Testing

/// What a script beside this file answers to a JSON question on its standard input.
func answer(of script: String, to question: some Encodable) throws -> Data {
  let command = pythonCommand(script)
  let result = try Program.run(command, input: Array(JSONEncoder().encode(question)))
  try #require(
    result.status == 0,
    "\(command[0]) lacks what \(script) needs: `make test` installs it and sets BLOBLO_TEST_PYTHON\n\(result.errors)"
  )
  return Data(result.output)
}
