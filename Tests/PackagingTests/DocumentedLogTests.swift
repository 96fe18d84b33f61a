import Foundation
import Testing

/// An operator searches the documentation for the line that the log shows.
struct DocumentedLogTests {
  @Test(arguments: ["docs/operations.md"])
  func `each log message in the table begins a text of the sources`(page: String) throws {
    let rows = try Self.text(page).split(separator: "\n")
      .drop { !$0.hasPrefix("| the log says |") }.dropFirst(2).prefix { $0.hasPrefix("|") }
    #expect(!rows.isEmpty)
    let sources = try Self.sources()
    for row in rows {
      let cell = row.split(separator: "|")[0]
      let messages = Self.quotes(in: cell).filter { $0.contains(" ") || $0.contains(":") }
      #expect(!messages.isEmpty, "\(row)")
      for message in messages { #expect(sources.contains("\"\(message)"), "\(page): \(message)") }
    }
  }

  @Test(arguments: ["README.md", "docs"]) func `each quoted pass is logged so`(
    path: String
  ) throws {
    let pages =
      path.hasSuffix(".md")
      ? [path]
      : try FileManager.default.contentsOfDirectory(atPath: DocumentedSettingsTests.root + "/docs")
        .filter { $0.hasSuffix(".md") }.map { "docs/" + $0 }
    let sources = try Self.sources()
    var count = 0
    for page in pages {
      for message in Self.quotes(in: try Self.text(page)[...]) where message.hasPrefix("passed: ") {
        count += 1
        #expect(sources.contains("\"\(message)"), "\(page): \(message)")
      }
    }
    #expect(count > 0)
  }

  /// The texts in backquotes, without an ellipsis at their ends.
  private static func quotes(in text: Substring) -> [Substring] {
    text.matches(of: /`([^`\n]+)`/).map { match in
      match.output.1.hasSuffix(" …") ? match.output.1.dropLast(2) : match.output.1
    }
  }

  private static func text(_ path: String) throws -> String {
    try String(contentsOfFile: DocumentedSettingsTests.root + "/" + path, encoding: .utf8)
  }

  private static func sources() throws -> String {
    let root = DocumentedSettingsTests.root + "/Sources"
    let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    return try paths.filter { $0.hasSuffix(".swift") }
      .map { try String(contentsOfFile: root + "/" + $0, encoding: .utf8) }.joined()
  }
}
