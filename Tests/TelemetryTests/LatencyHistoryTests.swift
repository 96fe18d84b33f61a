import Primitives
import Testing

@testable import Telemetry

struct LatencyHistoryTests {
  private let histogram = Histogram(bounds: [.milliseconds(10), .milliseconds(100)])

  private func at(_ minute: Int64) -> UnixTime { UnixTime(seconds: 86_400 * 10 + minute * 60) }

  @Test func `within a bucket answers are evenly spread, beyond the last one its bound is said`() {
    let bounds: [Int64] = [10_000_000, 100_000_000]
    let even = Quantiles([0, 100, 0], bounds)
    #expect((even.count, even.p50, even.p95) == (100, 55_000_000, 95_500_000))
    #expect(Quantiles([0, 0, 7], bounds).p50 == 100_000_000)
    #expect(Quantiles([0, 0, 0], bounds) == Quantiles([0, 0, 0], bounds))
    #expect(Quantiles([0, 0, 0], bounds).p95 == 0)
  }

  @Test func `each minute has its own answers, and an hour goes by`() {
    let history = LatencyHistory(histogram, at: at(0))
    histogram.observe(nanoseconds: 5_000_000)
    history.take(at: at(0))
    histogram.observe(nanoseconds: 50_000_000)
    histogram.observe(nanoseconds: 50_000_000)
    history.take(at: at(2))
    #expect(history.minutes.suffix(3).map(\.count) == [1, 0, 2])
    #expect(history.recent(minutes: 1).count == 2)
    #expect(history.recent(minutes: 60).count == 3)
    history.take(at: at(1))
    #expect(history.minutes.last?.count == 2, "a clock that was set back loses nothing")
    history.take(at: at(200))
    #expect(history.minutes.allSatisfy { $0.count == 0 })
  }
}
