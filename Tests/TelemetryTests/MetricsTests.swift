import Offload
import Primitives
import Registry
import Testing

@testable import Telemetry

struct HistogramTests {
  private let histogram = Histogram(bounds: [.milliseconds(1), .milliseconds(10)])

  @Test(
    arguments: [
      (0, [1, 0, 0]), (1_000_000, [1, 0, 0]), (1_000_001, [0, 1, 0]), (10_000_000, [0, 1, 0]),
      (10_000_001, [0, 0, 1]), (Int64.max / 2, [0, 0, 1]),
    ] as [(Int64, [Int64])])
  func `a bound belongs to its bucket`(nanoseconds: Int64, counts: [Int64]) {
    histogram.observe(nanoseconds: nanoseconds)
    #expect(histogram.reading == .init(counts: counts, nanoseconds: nanoseconds))
  }

  @Test func `one that stands for several counts as several`() {
    histogram.observe(nanoseconds: 2_000_000, weight: 16)
    #expect(histogram.reading == .init(counts: [0, 16, 0], nanoseconds: 32_000_000))
  }

  @Test func `buckets are summed up in the text`() {
    for milliseconds in [0, 5, 5, 50] as [Int64] {
      histogram.observe(nanoseconds: milliseconds * 1_000_000)
    }
    var text = MetricsText()
    text.histogram("a_seconds", help: "Help.", histogram)
    #expect(
      text.text == """
        # HELP a_seconds Help.
        # TYPE a_seconds histogram
        a_seconds_bucket{le="0.001"} 1
        a_seconds_bucket{le="0.01"} 3
        a_seconds_bucket{le="+Inf"} 4
        a_seconds_sum 0.06
        a_seconds_count 4

        """)
  }

  @Test func `all bounds rise`() {
    for histogram in [Histogram.ofAnswers(), .ofDecisions(), .ofFills()] {
      #expect(zip(histogram.bounds, histogram.bounds.dropFirst()).allSatisfy { $0 < $1 })
    }
  }
}

struct MetricsTextTests {
  @Test func `what would end a label is escaped`() {
    var text = MetricsText()
    text.sample("a", ["b": "x\"y\\z\nw", "c": "ü"], value: 1)
    #expect(text.text == #"a{b="x\"y\\z\nw",c="ü"} 1"# + "\n")
  }

  @Test(
    arguments: [
      (0, "0"), (1_000_000_000, "1"), (5000, "0.000005"), (1_500_000_000, "1.5"),
      (3_600_000_000_000, "3600"), (-500_000_000, "-0.5"),
    ] as [(Int64, String)])
  func `nanoseconds are written as seconds, exactly`(nanoseconds: Int64, text: String) {
    #expect(seconds(nanoseconds) == text)
  }

  @Test func `counters of kinds count apart, and their words are distinct`() {
    let counters = Counters<PassReason.Kind>()
    counters[.coldUpstream].add(2)
    counters[.notABlobRequest].add()
    #expect(
      counters.values.filter { $0.value > 0 }.map(\.kind) == [.notABlobRequest, .coldUpstream])
    #expect(Set(PassReason.Kind.allCases.map(\.word)).count == PassReason.Kind.allCases.count)
    #expect(Set(FillFailure.allCases.map(\.word)).count == FillFailure.allCases.count)
  }
}

struct HistoryTests {
  private let roads = Counters<DeliveryPath>()

  private func at(_ minute: Int64) -> UnixTime { UnixTime(seconds: 86_400 * 10 + minute * 60) }

  @Test func `each minute has its own bytes, and an hour goes by`() {
    let history = History(at: at(0))
    roads[.redirected].add(30)
    history.take(roads, at: at(0))
    roads[.passed].add(10)
    history.take(roads, at: at(2))
    #expect(history.reading.minutes.suffix(3).map(\.total) == [30, 0, 10])
    history.take(roads, at: at(200))
    #expect(history.reading.minutes.allSatisfy { $0.total == 0 })
    #expect(history.reading.today.total == 40)
    #expect(history.reading.today.share == 75)
  }

  @Test func `a new day begins at nothing`() {
    let history = History(at: at(0))
    roads[.teed].add(5)
    history.take(roads, at: at(1439))
    roads[.accelerated].add(7)
    history.take(roads, at: at(1440))
    #expect(history.reading.today.total == 7)
    #expect(history.reading.minutes.suffix(2).map(\.total) == [5, 7])
  }

  @Test func `a clock set back loses nothing`() {
    let history = History(at: at(10))
    roads[.redirected].add(1)
    history.take(roads, at: at(3))
    #expect(history.reading.minutes.last?.total == 1)
  }

  @Test func `what is not whole is not called whole`() {
    var bytes = History.Bytes()
    #expect(bytes.share == nil)
    bytes.paths[DeliveryPath.redirected.rawValue] = 999
    bytes.paths[DeliveryPath.passed.rawValue] = 1
    #expect(bytes.share == 99)
  }
}

struct CounterTests {
  private let counters = Counters<DeliveryPath>()
  private var accelerated: Counter { counters[.accelerated] }

  /// bloblo's own pages read between a decision and the web server's word that it could not read the object.
  @Test func `only what a scrape has got holds a counter up`() {
    let history = History(at: .now())
    accelerated.add(10)
    history.take(counters, at: .now())
    #expect(accelerated.value == 10)
    accelerated.takeBack(10)
    #expect(accelerated.scraped() == 0)
  }

  @Test func `a scraped value never falls`() {
    accelerated.add(10)
    #expect(accelerated.scraped() == 10)
    accelerated.takeBack(10)
    #expect((accelerated.value, accelerated.scraped()) == (0, 10))
    accelerated.add(15)
    #expect((accelerated.value, accelerated.scraped()) == (15, 15))
  }

  @Test func `bytes that were taken back make no minute negative`() {
    let history = History(at: .now())
    accelerated.add(10)
    history.take(counters, at: .now())
    accelerated.takeBack(10)
    history.take(counters, at: .now())
    accelerated.add(12)
    history.take(counters, at: .now())
    #expect(history.reading.today[.accelerated] == 12)
  }
}
