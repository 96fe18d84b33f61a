internal import Synchronization

/// Remembers when upstream last refused, by whatever was asked. A yes to an older question is void.
///
/// There are more refusals than deletions, and with each other's time a question is asked once more: so it has sixteen
/// tables, from the first refusal on.
final class Refusals: Sendable {
  private let tables = Mutex<[TimeTable]>([])

  /// - Parameter now: when upstream was asked.
  func note(_ question: some Hashable, at now: Int64) {
    let tables = tables.withLock { tables in
      if tables.isEmpty { tables = (0..<16).map { _ in TimeTable() } }
      return tables
    }
    Self.table(of: question, in: tables).note(question, at: now)
  }

  /// When it was last refused, as `Moment.steady`; the distant past if it never was.
  func last(_ question: some Hashable) -> Int64 {
    let tables = tables.withLock { $0 }
    return tables.isEmpty ? TimeTable.never : Self.table(of: question, in: tables).last(question)
  }

  /// By other bits than those that the table uses.
  private static func table(of question: some Hashable, in tables: [TimeTable]) -> TimeTable {
    tables[question.hashValue >> 32 & 15]
  }
}
