import Foundation
import Testing

struct ArchitectureTests {
  static let sources = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources")

  /// Room, file and text of each Swift source.
  static func files() throws -> [(room: String, name: String, text: String)] {
    let all = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    let urls = (all?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
    return try urls.map { url in
      let path = url.path().dropFirst(sources.path().count + 1)
      return (
        String(path.prefix { $0 != "/" }), String(path),
        try String(contentsOf: url, encoding: .utf8)
      )
    }
  }

  static let homes: [String: Set<String>] = [
    "CFastCGI": ["FastCGI"], "CCurl": ["HTTPTransport"], "CCrypto": ["Hashing"], "CExpat": ["XML"],
    "CISAL": ["Hashing"], "CLinux": ["FastCGI", "HTTPTransport", "Threading", "System", "Fill"],
    "CTLS": ["HTTPTransport"],
  ]

  @Test func `each C library is imported in its room only`() throws {
    let files = try Self.files()
    #expect(files.count > 50)
    for (module, rooms) in Self.homes {
      let importers = files.filter { $0.text.contains("import \(module)\n") }
      #expect(Set(importers.map(\.room)) == rooms, "\(module)")
    }
  }

  @Test func `no source imports the whole of Foundation`() throws {
    #expect(try Self.files().filter { $0.text.contains("import Foundation\n") }.map(\.name) == [])
  }

  /// Commands talk to people; other targets return or throw.
  @Test func `only commands print`() throws {
    let printing = try Self.files().filter { $0.room != "bloblo" && $0.text.contains(/\bprint\(/) }
    #expect(printing.map(\.name) == [])
  }
}
