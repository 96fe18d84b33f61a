import Foundation
import Testing

/// The promises of the targets, as `docs/architecture.md` lists them. The compiler keeps what a target can't
/// import; these tests keep the list of what it may.
struct WallTests {
  /// From the ground up: a target imports only those that stand below it.
  static let floors: [[String]] = [
    ["CCrypto", "CCurl", "CExpat", "CFastCGI", "CLinux", "CTLS"],
    ["Primitives"],
    ["Threading"],
    ["System"],
    ["FastCGI", "HTTPTransport", "Hashing", "XML"],
    ["Registry", "S3"],
    ["Fill", "Offload"],
    ["Store"],
    ["Settings", "Telemetry"],
    ["Gateway"],
    ["Operator", "Warm"],
    ["bloblo"],
  ]

  private static func imports(of text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      ["import ", "package import ", "internal import "].first { line.hasPrefix($0) }
        .map { String(line.dropFirst($0.count)) }
    }
  }

  /// The files of a target, and what each imports.
  private static func files(of target: String) throws -> [(name: String, imports: [String])] {
    let files = try ArchitectureTests.files().filter { $0.room == target }
    return files.map { ($0.name, imports(of: $0.text)) }
  }

  @Test func `arrows go down only`() throws {
    let floor = Dictionary(
      uniqueKeysWithValues: Self.floors.enumerated().flatMap { number, targets in
        targets.map { ($0, number) }
      })
    for (room, name, text) in try ArchitectureTests.files() {
      let own = try #require(floor[room], "\(room) has no floor")
      for imported in Self.imports(of: text) {
        if let other = floor[imported] { #expect(other < own, "\(name) imports \(imported)") }
      }
    }
  }

  @Test(arguments: [
    ("Settings", ["Telemetry", "Gateway"]), ("Telemetry", ["FastCGI", "Settings", "Store"]),
    ("S3", ["Registry"]), ("Registry", ["S3"]),
    ("Gateway", ["ArgumentParser", "FoundationEssentials"]), ("Operator", ["ArgumentParser"]),
    ("Warm", ["ArgumentParser", "Gateway", "Settings"]), ("Store", ["Logging", "Settings"]),
  ])
  func `a wall has no door`(target: String, forbidden: [String]) throws {
    let files = try Self.files(of: target)
    #expect(!files.isEmpty)
    for (name, imports) in files {
      #expect(Set(imports).isDisjoint(with: forbidden), "\(name)")
    }
  }

  /// Settings are values: to read them opens nothing.
  @Test func `reading settings starts nothing`() throws {
    let words = ["Thread.start", "HTTPClient(", "EventLoop(", "Listener(", ".start("]
    for (_, name, text) in try ArchitectureTests.files().filter({ $0.room == "Settings" }) {
      #expect(!words.contains { text.contains($0) }, "\(name)")
    }
  }

  /// The log and the metrics get values.
  @Test func `what records names nothing that decides`() throws {
    let words = ["OffloadEngine", "DecisionCache", "BlobStore", "Location."]
    for (_, name, text) in try ArchitectureTests.files().filter({ $0.room == "Telemetry" }) {
      #expect(!words.contains { text.contains($0) }, "\(name)")
    }
  }

  @Test func `only the gateway and what is above it know a page's language`() throws {
    for (room, name, text) in try ArchitectureTests.files() where room != "Operator" {
      #expect(!text.contains("HTML("), "\(name)")
    }
  }

  @Test func `no target is named for what has no place, or holds a type of its own name`() throws {
    let targets = Self.floors.joined()
    #expect(
      Set(targets).isDisjoint(with: ["Common", "Shared", "Util", "Utils", "Helpers", "Core"]))
    for (room, name, text) in try ArchitectureTests.files() where room != "bloblo" {
      let declarations = ["struct", "class", "enum", "protocol"].flatMap { kind in
        [" ", ":", "<"].map { "\(kind) \(room)\($0)" }
      }
      #expect(!declarations.contains { text.contains($0) }, "\(name)")
    }
  }

  @Test func `the program is commands and wiring, and no target holds a third`() throws {
    var lines: [String: Int] = [:]
    for (room, _, text) in try ArchitectureTests.files() {
      lines[room, default: 0] += text.count { $0 == "\n" }
    }
    let all = lines.values.reduce(0, +)
    #expect(lines["bloblo", default: 0] <= 900)
    for (target, count) in lines { #expect(count * 3 < all, "\(target): \(count) of \(all)") }
  }

  /// docs/architecture.md walks a request and a setting through their files.
  @Test(arguments: [("## A hot GET", 20), ("## A setting", 5)])
  func `the files of a walk are there, and few`(heading: String, limit: Int) throws {
    let root = ArchitectureTests.sources.deletingLastPathComponent()
    let text = try String(
      contentsOf: root.appending(path: "docs/architecture.md"), encoding: .utf8)
    let start = try #require(text.firstRange(of: "\(heading)\n")).upperBound
    let walk = text[start...].split(separator: "\n## ").first ?? ""
    let files = walk.split(separator: "\n").filter { $0.contains(". `Sources/") }
      .compactMap { $0.split(separator: "`").dropFirst().first }
    #expect((1...limit).contains(files.count), "\(files.count) files")
    for file in files {
      #expect(FileManager.default.fileExists(atPath: root.appending(path: file).path()), "\(file)")
    }
  }
}
