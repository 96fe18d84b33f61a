internal import Primitives

/// Durations, counted in fixed buckets, and their sum.
///
/// Source: <https://prometheus.io/docs/concepts/metric_types/#histogram>
package final class Histogram: Sendable {
  /// The upper bounds of all buckets but the last, which has none; nanoseconds, rising.
  let bounds: [Int64]
  /// One more than the bounds.
  private let counts: [Counter]
  /// Nanoseconds.
  private let sum = Counter()

  init(bounds: [Duration]) {
    self.bounds = bounds.map(\.nanoseconds)
    counts = (0...bounds.count).map { _ in Counter() }
  }

  /// - Parameter weight: how many events this one stands for, where only one of several is timed.
  package func observe(nanoseconds: Int64, weight: Int64 = 1) {
    var bucket = 0
    while bucket < bounds.count, nanoseconds > bounds[bucket] { bucket += 1 }
    counts[bucket].add(weight)
    sum.add(nanoseconds * weight)
  }

  /// A reading. Other threads write meanwhile, so its parts may differ by some observations.
  var reading: Reading { Reading(counts: counts.map(\.value), nanoseconds: sum.value) }

  struct Reading: Sendable, Equatable {
    /// By bucket, not summed up.
    let counts: [Int64]
    let nanoseconds: Int64

    var count: Int64 { counts.reduce(0, +) }
  }
}

extension Histogram {
  /// For answers of other servers: a millisecond to ten seconds.
  static func ofAnswers() -> Histogram {
    Histogram(bounds: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000].map(ms))
  }

  /// For decisions: those from memory take microseconds, the others as long as the servers they ask.
  static func ofDecisions() -> Histogram {
    Histogram(
      bounds: [5, 10, 25, 50, 100, 250, 500].map { .microseconds($0) }
        + [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000].map(ms))
  }

  /// For fills: a tenth of a second to an hour.
  static func ofFills() -> Histogram {
    Histogram(
      bounds: [
        100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000,
      ]
      .map(ms))
  }

  private static func ms(_ milliseconds: Int64) -> Duration { .milliseconds(milliseconds) }
}
