package import Logging
internal import Synchronization

/// The log level of all loggers. It can change while they are in use.
package final class LogLevelControl: Sendable {
  private static let levels = Logger.Level.allCases
  private let index: Atomic<Int>

  init(_ level: Logger.Level) { index = Atomic(Self.index(of: level)) }

  package var level: Logger.Level {
    get { Self.levels[index.load(ordering: .relaxed)] }
    set { index.store(Self.index(of: newValue), ordering: .relaxed) }
  }

  /// Whether each request gets a line.
  var isDebug: Bool { index.load(ordering: .relaxed) <= 1 }

  /// Logs more by one level, up to `trace`.
  package func moreVerbose() { move(-1) }

  /// Logs less by one level, down to `critical`.
  package func lessVerbose() { move(1) }

  private func move(_ step: Int) {
    let moved = index.load(ordering: .relaxed) + step
    index.store(min(max(moved, 0), Self.levels.count - 1), ordering: .relaxed)
  }

  private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}
