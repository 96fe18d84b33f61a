package import Logging
internal import Synchronization

/// How much is logged; all loggers share it, and it can change while they are used.
package final class LogVolume: Sendable {
  private static let levels = Logger.Level.allCases
  private let index: Atomic<Int>

  init(_ level: Logger.Level) { index = Atomic(Self.index(of: level)) }

  package var level: Logger.Level {
    get { Self.levels[index.load(ordering: .relaxed)] }
    set { index.store(Self.index(of: newValue), ordering: .relaxed) }
  }

  /// Whether each request has its line.
  var isDebug: Bool { index.load(ordering: .relaxed) <= 1 }

  /// The next level that says more; the last one stays.
  package func increase() { move(-1) }

  /// The next level that says less; the last one stays.
  package func decrease() { move(1) }

  private func move(_ step: Int) {
    let moved = index.load(ordering: .relaxed) + step
    index.store(min(max(moved, 0), Self.levels.count - 1), ordering: .relaxed)
  }

  private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}
