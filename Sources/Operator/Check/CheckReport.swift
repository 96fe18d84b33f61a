internal import FoundationEssentials
internal import Primitives

/// What `bloblo check` has found, line by line.
package struct CheckReport {
  enum Level: String, Codable {
    case ok
    /// It works, but not as well as it could, or may stop working.
    case warn
    case fail = "FAIL"
  }

  struct Line: Codable {
    let level: Level
    /// The same for all set-ups: `bucket.put`.
    let subject: String
    /// What `check` has found.
    let finding: String
    /// What to do.
    let advice: String?
  }

  private(set) var lines: [Line] = []

  package init() {}

  package var hasFailed: Bool { lines.contains { $0.level == .fail } }

  /// The last line: how many of each, and what has failed.
  package mutating func sum() {
    func count(_ level: Level) -> Int { lines.count { $0.level == level } }
    let failed = lines.filter { $0.level == .fail }.map(\.subject)
    let finding = "\(count(.ok)) ok, \(count(.warn)) warn, \(count(.fail)) FAIL"
    let level: Level = hasFailed ? .fail : count(.warn) > 0 ? .warn : .ok
    let names = failed.isEmpty ? "" : ": \(failed.joined(separator: ", "))"
    lines.append(
      Line(
        level: level, subject: "sum", finding: finding + names, advice: nil))
  }

  /// Whether `check` has found something wrong under this subject.
  func isAmiss(_ subject: String) -> Bool {
    lines.contains { $0.subject == subject && $0.level != .ok }
  }

  package mutating func ok(_ subject: String, _ finding: String) {
    lines.append(Line(level: .ok, subject: subject, finding: finding, advice: nil))
  }

  package mutating func warn(_ subject: String, _ finding: String, advice: String) {
    lines.append(Line(level: .warn, subject: subject, finding: finding, advice: advice))
  }

  package mutating func fail(_ subject: String, _ finding: String, advice: String) {
    lines.append(Line(level: .fail, subject: subject, finding: finding, advice: advice))
  }

  /// For people: a line for each finding, and the advice below it.
  package var text: String {
    lines.map { line in
      let finding = line.finding.printable
      let level = line.level.rawValue + String(repeating: " ", count: 5 - line.level.rawValue.count)
      let advice = line.advice.map { "\n      → \($0.printable)" } ?? ""
      return "\(level) \(line.subject): \(finding)\(advice)\n"
    }.joined()
  }

  /// For machines: a JSON object on each line, in the order of the checks.
  package var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return lines.map { line in
      // Strings only: there is nothing that can't be encoded.
      let data = try? encoder.encode(line)
      return String(decoding: data ?? Data(), as: UTF8.self) + "\n"
    }.joined()
  }
}
