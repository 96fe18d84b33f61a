import ArgumentParser
import Foundation
import Testing

@testable import Settings
@testable import Telemetry
@testable import bloblo

/// What operators read must be what the program knows.
struct DocumentedSettingsTests {
  /// With `BLOBLO_WRITE_SETTINGS` set, as `make settings` sets it, the documents are made anew.
  @Test(arguments: [
    ("docs/settings.md", "<!-- ", " -->", RenderedSettings.markdown),
    ("packaging/man/bloblo.1", ".\\\" ", "", RenderedSettings.manual),
    ("packaging/bloblo.env", "# ", "", RenderedSettings.environmentFile),
  ])
  func `the documents say what the declarations say`(
    file: String, opening: String, closing: String, made: String
  ) throws {
    let path = Self.root + "/" + file
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let begin = "\(opening)\(RenderedSettings.begin)\(closing)\n"
    let end = "\(opening)\(RenderedSettings.end)\(closing)\n"
    let start = try #require(text.firstRange(of: begin), "\(file) has no part to make")
    let stop = try #require(text.firstRange(of: end))
    let gap = file.hasSuffix(".1") ? "" : "\n"
    let now = text[..<start.upperBound] + gap + made + gap + text[stop.lowerBound...]
    if ProcessInfo.processInfo.environment["BLOBLO_WRITE_SETTINGS"] != nil {
      try String(now).write(toFile: path, atomically: true, encoding: .utf8)
    } else {
      #expect(String(now) == text, "\(file) differs from the declarations: run `make settings`")
    }
  }

  @Test func `each setting is declared once, explained, and in one section`() throws {
    #expect(Declared.names.count == Declared.all.count)
    for setting in Declared.all {
      #expect(setting.help.hasSuffix("."), "\(setting.name)")
      #expect(!setting.help.contains("|"), "\(setting.name) would end a cell of the table")
    }
    let folder = Self.root + "/Sources/Settings"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    let text = try files.filter { $0.hasPrefix("Declared+") }
      .map { try String(contentsOfFile: folder + "/" + $0, encoding: .utf8) }.joined()
    #expect(text.matches(of: /static let \w+ =/).count == Declared.all.count)
  }

  /// A name that is read without a declaration would be known to nobody.
  @Test func `no source but the declarations spells a setting's name to read it`() throws {
    let folder = Self.root + "/Sources/Settings"
    for file in try FileManager.default.contentsOfDirectory(atPath: folder)
    where !file.hasPrefix("Declared") {
      let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
      #expect(!text.contains(/(?:text|value|isSet)\("/), "\(file)")
    }
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
    try String(contentsOfFile: Self.root + "/packaging/" + file, encoding: .utf8)
  }

  static let root =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")
}

struct UnknownCommandTests {
  @Test(arguments: [
    ("swep", "there is no command \"swep\"; did you mean sweep?"),
    ("--versoin", "there is no option \"--versoin\"; did you mean --version?"),
    ("frobnicate", "there is no command \"frobnicate\"; bloblo --help lists all"),
  ])
  func `the nearest right name is offered`(argument: String, sentence: String) {
    #expect(UnknownCommand(argument)?.sentence == "bloblo: " + sentence)
  }

  @Test(arguments: [
    (["warm", "--platfrom", "x"], "\"--platfrom\"; did you mean --platform?"),
    (["check", "--jsno"], "\"--jsno\"; did you mean --json?"),
    (["sweep", "--older=1h"], "\"--older\"; did you mean --older-than?"),
    (["serve", "--versoin"], "\"--versoin\"; did you mean --version?"),
    (["serve", "--frobnicate"], "\"--frobnicate\"; bloblo help serve lists all"),
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
