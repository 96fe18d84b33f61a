internal import System

/// A file of settings, as systemd's `EnvironmentFile=` reads it: `NAME=value` lines, comments that begin with `#`
/// or `;`, values perhaps in quotes.
///
/// Source: systemd.exec(5), "EnvironmentFile=".
package struct EnvironmentFile {
  /// The one that the package installs.
  package static let packaged = "/etc/bloblo/bloblo.env"

  package let path: String
  let settings: [String: String]

  /// - Returns: `nil` when it can't be read.
  package init?(_ path: String) {
    guard let bytes = SmallFile.bytes(path) else { return nil }
    self.path = path
    settings = Self.parse(String(decoding: bytes, as: UTF8.self))
  }

  /// The process's environment, the file's settings below it, and the AWS profile's below that.
  package static func merged(_ own: [String: String], _ file: EnvironmentFile?) -> [String: String]
  {
    own.merging(file?.settings ?? [:]) { own, _ in own }.withProfile()
  }

  static func parse(_ text: String) -> [String: String] {
    var settings: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let line = trimmed(line)
      guard let first = line.first, first != "#", first != ";",
        let equals = line.firstIndex(of: "=")
      else { continue }
      settings[trimmed(line[..<equals])] = unquoted(trimmed(line[line.index(after: equals)...]))
    }
    return settings
  }

  /// In double quotes a backslash takes the meaning from the next letter; in single quotes nothing has one.
  private static func unquoted(_ text: String) -> String {
    guard text.count >= 2, let quote = text.first, quote == "\"" || quote == "'",
      text.last == quote
    else { return text }
    let inside = text.dropFirst().dropLast()
    guard quote == "\"" else { return String(inside) }
    var value = ""
    var isEscaped = false
    for letter in inside {
      if letter == "\\", !isEscaped {
        isEscaped = true
      } else {
        value.append(letter)
        isEscaped = false
      }
    }
    return value
  }

  private static func trimmed(_ text: Substring) -> String {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
    return String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
  }

  private static func trimmed(_ text: String) -> String { trimmed(text[...]) }
}
