public import Synchronization

/// A number that many threads add to without waiting. It wraps around: a sum of sizes that somebody made up must not
/// end the process.
public final class Counter: Sendable {
  @usableFromInline let count = Atomic<Int64>(0)
  private let takenBack = Atomic<Int64>(0)
  /// The highest value that a scrape has read.
  private let highest = Atomic<Int64>(0)

  package init() {}

  @inlinable
  public func add(_ more: Int64 = 1) { count.wrappingAdd(more, ordering: .relaxed) }

  /// Adds one, and returns the value before.
  func next() -> Int64 { count.wrappingAdd(1, ordering: .relaxed).oldValue }

  /// Subtracts what was added too early.
  package func takeBack(_ less: Int64) { takenBack.wrappingAdd(less, ordering: .relaxed) }

  /// The current value. It can fall.
  package var value: Int64 {
    let less = takenBack.load(ordering: .relaxed)
    return count.load(ordering: .relaxed) &- less
  }

  /// The value for Prometheus, whose counters never fall: after `takeBack` it stays until as much was added again.
  /// Only scrapes may call this, since each value is the lower bound of the next.
  package func scraped() -> Int64 { highest.max(value, ordering: .relaxed).newValue }
}

/// A counter for each case of an enumeration whose raw values count from 0.
public struct Counters<Kind: RawRepresentable & CaseIterable & Sendable>: Sendable
where Kind.RawValue == Int {
  @usableFromInline let counters = Kind.allCases.map { _ in Counter() }

  @inlinable
  public subscript(kind: Kind) -> Counter { counters[kind.rawValue] }

  /// In the order of the cases.
  package var values: [(kind: Kind, value: Int64)] { Kind.allCases.map { ($0, self[$0].value) } }

  /// `Counter.scraped()` of each, in the order of the cases.
  package func scraped() -> [(kind: Kind, value: Int64)] {
    Kind.allCases.map { ($0, self[$0].scraped()) }
  }
}
