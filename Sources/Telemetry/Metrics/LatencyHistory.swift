package import Primitives
internal import Synchronization

/// Latencies for each minute of the last hour. It reads a histogram now and then, so that observing costs nothing
/// more.
package final class LatencyHistory: Sendable {
  /// Counts by the histogram's buckets.
  package typealias Counts = [Int64]

  private struct State {
    var last: Counts
    /// The minute of the newest entry of `ring`, counted from 1970.
    var minute: Int64
    /// The oldest first.
    var ring: [Counts]
  }

  private let histogram: Histogram
  private let state: Mutex<State>

  package init(_ histogram: Histogram, at now: UnixTime) {
    self.histogram = histogram
    let none = Counts(repeating: 0, count: histogram.bounds.count + 1)
    state = Mutex(
      State(
        last: none, minute: now.seconds / 60,
        ring: [Counts](repeating: none, count: History.minutes)))
  }

  /// Adds the histogram's new values.
  package func take(at now: UnixTime) {
    let counts = histogram.reading.counts
    state.withLock { state in
      let minute = now.seconds / 60
      // After a clock was set back, the newest minute goes on.
      for _ in 0..<min(max(0, minute - state.minute), Int64(History.minutes)) {
        state.ring.removeFirst()
        state.ring.append(Counts(repeating: 0, count: counts.count))
      }
      state.minute = max(state.minute, minute)
      let newest = History.minutes - 1
      for i in counts.indices { state.ring[newest][i] &+= counts[i] &- state.last[i] }
      state.last = counts
    }
  }

  /// The oldest minute first.
  package var minutes: [Quantiles] {
    state.withLock { $0.ring }.map { Quantiles($0, histogram.bounds) }
  }

  /// The quantiles of the newest minutes together.
  package func recent(minutes: Int) -> Quantiles {
    let ring = state.withLock { $0.ring }.suffix(minutes)
    let none = Counts(repeating: 0, count: histogram.bounds.count + 1)
    return Quantiles(ring.reduce(none) { zip($0, $1).map(&+) }, histogram.bounds)
  }
}

/// The median and the 95th percentile, as exactly as the buckets allow.
package struct Quantiles: Sendable, Equatable {
  package let count: Int64
  /// Nanoseconds.
  package let p50: Int64
  package let p95: Int64

  /// - Parameters:
  ///   - counts: by bucket; one more than the bounds.
  ///   - bounds: nanoseconds, rising.
  package init(_ counts: [Int64], _ bounds: [Int64]) {
    count = counts.reduce(0, &+)
    p50 = Self.quantile(0.5, counts: counts, bounds: bounds, of: count)
    p95 = Self.quantile(0.95, counts: counts, bounds: bounds, of: count)
  }

  /// As Prometheus does: evenly spread within a bucket; the last bound for what lies beyond it.
  ///
  /// Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>
  private static func quantile(
    _ share: Double, counts: [Int64], bounds: [Int64], of count: Int64
  ) -> Int64 {
    let rank = share * Double(count)
    var below: Int64 = 0
    for (i, bound) in bounds.enumerated() where counts[i] > 0 {
      if Double(below + counts[i]) >= rank {
        let floor = i == 0 ? 0 : bounds[i - 1]
        let part = (rank - Double(below)) / Double(counts[i])
        return floor + Int64(Double(bound - floor) * max(0, part))
      }
      below += counts[i]
    }
    return count == 0 ? 0 : bounds.last ?? 0
  }
}

/// The latencies that the page shows.
package struct Latencies: Sendable {
  package let registry: LatencyHistory
  package let s3: LatencyHistory

  package init(_ metrics: Metrics, at now: UnixTime) {
    registry = LatencyHistory(metrics.upstreamTime, at: now)
    s3 = LatencyHistory(metrics.storeTime, at: now)
  }

  package func take(at now: UnixTime) {
    registry.take(at: now)
    s3.take(at: now)
  }
}
