internal import Glibc
internal import System

/// A file of settings, as systemd's `EnvironmentFile=` reads it: `NAME=value` lines, comments that begin with `#`
/// or `;`, values perhaps in quotes.
///
/// Source: systemd.exec(5), "EnvironmentFile=".
package struct EnvironmentFile {
  /// The path of the file that the package installs.
  package static let packaged = "/etc/bloblo/bloblo.env"

  package let path: String
  let settings: [String: String]
  /// The numbers of lines that are neither settings nor comments, from 1. systemd ignores them too.
  let ignoredLines: [Int]

  /// - Returns: `nil` when it can't be read.
  package init?(_ path: String) {
    guard let bytes = SmallFile.bytes(path) else { return nil }
    self.init(path, String(decoding: bytes, as: UTF8.self))
  }

  init(_ path: String, _ text: String) {
    var settings: [String: String] = [:]
    var ignored: [Int] = []
    // A line may end with a carriage return and a line feed, which are one character.
    let lines = text.split(omittingEmptySubsequences: false) { ["\n", "\r\n", "\r"].contains($0) }
    for (index, line) in lines.enumerated() {
      let line = Self.trimmed(line)
      guard let first = line.first, first != "#", first != ";" else { continue }
      let name = Self.trimmed(line.prefix { $0 != "=" })
      guard line.contains("="), Self.isName(name) else {
        ignored.append(index + 1)
        continue
      }
      settings[name] = Self.unquoted(Self.trimmed(line.drop { $0 != "=" }.dropFirst()))
    }
    self.path = path
    self.settings = settings
    ignoredLines = ignored
  }

  /// A sentence for each ignored line, without its text, which may be a secret.
  package var complaints: [String] {
    ignoredLines.map {
      "bloblo: \(path), line \($0): ignored; want NAME=value, without export, or # and a comment"
    }
  }

  /// The named file; without a name the package's, if it is readable and no `BLOBLO_` variable is set.
  ///
  /// - Throws: when the named file can't be read.
  package static func find(
    named path: String?, beside own: [String: String]
  ) throws(Unreadable) -> EnvironmentFile? {
    guard let path else {
      guard !own.keys.contains(where: { $0.hasPrefix("BLOBLO_") }) else { return nil }
      return EnvironmentFile(packaged)
    }
    guard let file = EnvironmentFile(path) else {
      throw Unreadable(description: "\(path): can't be read: \(systemWords(for: errno))")
    }
    return file
  }

  package struct Unreadable: Error, CustomStringConvertible {
    package let description: String
  }

  /// The warning when no file was read because this user may not read the packaged one.
  package static func complaints(without own: [String: String]) -> [String] {
    guard !own.keys.contains(where: { $0.hasPrefix("BLOBLO_") }), SmallFile.bytes(packaged) == nil,
      errno == EACCES
    else { return [] }
    return [
      "bloblo: \(packaged) is not read: Permission denied; run this as root, or as bloblo's user"
    ]
  }

  /// The process's environment; where it says nothing, the file's settings, and then the AWS profile's.
  package static func merged(_ own: [String: String], _ file: EnvironmentFile?) -> [String: String]
  {
    own.merging(file?.settings ?? [:]) { own, _ in own }.withProfile()
  }

  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 == UInt8(ascii: "_") || isLetterOrDigit($0) }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  /// In double quotes a backslash escapes the next letter; in single quotes nothing is escaped.
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
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    return String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
  }

  private static func trimmed(_ text: String) -> String { trimmed(text[...]) }
}
