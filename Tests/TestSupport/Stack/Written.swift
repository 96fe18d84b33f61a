internal import Foundation

/// What `Tests/Stack/written.py` looks at when all tests are done: what bloblo wrote, and the secrets that
/// were used. Kept where `BLOBLO_WRITTEN` says, and nowhere without it.
enum Written {
  private static let folder = ProcessInfo.processInfo.environment["BLOBLO_WRITTEN"]

  /// Keeps what a bloblo wrote.
  static func wrote(_ text: String) { keep(text, "wrote") }

  /// Keeps lines of a head, `Name: value`.
  static func used(_ lines: [String]) {
    let telling = lines.filter { line in
      ["authorization:", "cookie:", "location:"].contains { line.lowercased().hasPrefix($0) }
    }
    keep(telling.map { $0 + "\n" }.joined(), "used")
  }

  private static func keep(_ text: String, _ kind: String) {
    guard let folder, !text.isEmpty else { return }
    // A file each: nobody waits for anybody.
    do {
      try text.write(
        toFile: "\(folder)/\(kind)-\(UUID().uuidString)", atomically: false, encoding: .utf8)
    } catch {
      fatalError("\(folder): \(error)")
    }
  }
}
