import System
import TestSupport
import Testing

@Suite struct ShellCommandTests {
  @Test func `what it writes and how it ends is told`() throws {
    let outcome = try ShellCommand("echo hello; exit 3").run(within: patience)
    #expect((outcome.status, String(decoding: outcome.bytes, as: UTF8.self)) == (3, "hello\n"))
    #expect(try ShellCommand("kill -9 $$").run(within: patience).status == 137)
  }

  @Test(arguments: [
    "sleep 600", "exec >&-; sleep 600", "echo x; exec sleep 600 >/dev/null", "yes",
  ])
  func `one that does not end, or writes without end, is ended`(line: String) {
    #expect(throws: ShellCommand.Failure.self) {
      try ShellCommand(line).run(within: .seconds(1))
    }
  }
}
