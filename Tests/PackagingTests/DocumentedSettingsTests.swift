import FoundationEssentials
import Testing

@testable import bloblo

/// What operators read must be what the program knows.
struct DocumentedSettingsTests {
  @Test(arguments: ["bloblo.env", "man/bloblo.1"])
  func `every setting is explained`(file: String) throws {
    let words = Set(try text(file).split { !$0.isUppercase && !$0.isNumber && $0 != "_" })
    let missing = UnknownSettings.known.filter { !words.contains($0[...]) }
    #expect(missing.isEmpty, "packaging/\(file) does not explain \(missing.sorted())")
  }

  @Test func `the package has the program's version`() throws {
    let first = try text("debian/changelog").prefix { $0 != "\n" }
    #expect(first.hasPrefix("bloblo (\(blobloVersion)) "))
  }

  private func text(_ file: String) throws -> String {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    let path = root.joined(separator: "/") + "/packaging/" + file
    return try String(contentsOfFile: path, encoding: .utf8)
  }
}

struct UnknownCommandTests {
  @Test(arguments: [
    ("swep", "there is no command \"swep\"; did you mean sweep?"),
    ("--versoin", "there is no option \"--versoin\"; did you mean --version?"),
    ("frobnicate", "there is no command \"frobnicate\"; bloblo --help names all"),
  ])
  func `the nearest right name is offered`(argument: String, sentence: String) {
    #expect(UnknownCommand(argument)?.sentence == "bloblo: " + sentence)
  }

  @Test(arguments: [nil, "serve", "sweep", "help", "-h", "--help", "--generate-completion-script"])
  func `what is right is let through`(argument: String?) {
    #expect(UnknownCommand(argument)?.sentence == nil)
  }
}
