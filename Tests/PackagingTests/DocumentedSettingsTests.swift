import ArgumentParser
import FoundationEssentials
import Testing

@testable import Settings
@testable import Telemetry
@testable import bloblo

/// What operators read must be what the program knows.
struct DocumentedSettingsTests {
  @Test(arguments: ["bloblo.env", "man/bloblo.1", "../docs/settings.md"])
  func `every setting is explained`(file: String) throws {
    let words = Set(try text(file).split { !$0.isUppercase && !$0.isNumber && $0 != "_" })
    let missing = UnknownSettings.known.filter { !words.contains($0[...]) }
    #expect(missing.isEmpty, "packaging/\(file) does not explain \(missing.sorted())")
  }

  @Test func `the settings file explains no setting that there is not, and none twice`() throws {
    let names = try text("bloblo.env").split(separator: "\n").compactMap { line -> String? in
      guard line.hasPrefix("#"), let equals = line.firstIndex(of: "="), !line.hasPrefix("# ") else {
        return nil
      }
      return String(line[..<equals].dropFirst())
    }
    func ours(_ names: some Sequence<String>) -> Set<String> {
      Set(names.filter { $0.hasPrefix("BLOBLO_") })
    }
    #expect(ours(names) == ours(UnknownSettings.known))
    #expect(names.count == Set(names).count)
  }

  @Test func `each command's help has an example`() {
    for command in [Bloblo.self] + Bloblo.configuration.subcommands as [any ParsableCommand.Type] {
      #expect(command.helpMessage().contains("Example: "), "\(command)")
    }
  }

  @Test func `the manual has each command and each option`() throws {
    let manual = try text("man/bloblo.1")
    for command in Bloblo.configuration.subcommands {
      let name = command.configuration.commandName ?? "\(command)".lowercased()
      #expect(manual.contains(".It Cm \(name)"), "no command \(name)")
      for option in Set(command.helpMessage().split { !$0.isLetter && $0 != "-" }) {
        guard option.hasPrefix("--"), option != "--version", option != "--help" else { continue }
        #expect(manual.contains("Fl \(option.dropFirst())"), "no option \(option) of \(name)")
      }
    }
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

  @Test(arguments: [
    (["warm", "--platfrom", "x"], "\"--platfrom\"; did you mean --platform?"),
    (["check", "--jsno"], "\"--jsno\"; did you mean --json?"),
    (["sweep", "--older=1h"], "\"--older\"; did you mean --older-than?"),
    (["serve", "--versoin"], "\"--versoin\"; did you mean --version?"),
    (["serve", "--frobnicate"], "\"--frobnicate\"; bloblo help serve names all"),
  ])
  func `so it is of a command's options`(arguments: [String], words: String) {
    #expect(UnknownCommand(optionIn: arguments)?.sentence == "bloblo: there is no option " + words)
  }

  @Test(arguments: [
    [], ["serve"], ["warm", "--plain-http", "--platform=a/b", "x"], ["presign", "--", "--older"],
    ["--help"],
  ])
  func `a command's right options are let through`(arguments: [String]) {
    #expect(UnknownCommand(optionIn: arguments)?.sentence == nil)
  }

  @Test(arguments: [nil, "serve", "sweep", "help", "-h", "--help", "--generate-completion-script"])
  func `what is right is let through`(argument: String?) {
    #expect(UnknownCommand(argument)?.sentence == nil)
  }
}
