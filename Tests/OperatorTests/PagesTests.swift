import Offload
import Primitives
import Testing

@testable import Operator
@testable import Telemetry

struct HTMLTests {
  @Test func `what is put in is escaped, HTML is not`() {
    let evil = "<script>alert('x')</script>&\"\u{0}\u{7F}"
    let inner: HTML = "<b>\(evil)</b>"
    let outer: HTML = "<p title=\"\(evil)\">\(inner)\([inner, "<i>"])\(7)</p>"
    let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\u{FFFD}\u{FFFD}"
    #expect(
      outer.text
        == "<p title=\"\(escaped)\"><b>\(escaped)</b><b>\(escaped)</b><i>7</p>")
  }

  @Test func `neither style nor script can end its element`() {
    for asset in [StatusPage.style.text, StatusPage.script.text] { #expect(!asset.contains("</")) }
    #expect(StatusPage.securityPolicy.hasPrefix("default-src 'none'; style-src 'sha256-"))
    #expect(!StatusPage.securityPolicy.contains("unsafe"))
  }

  @Test func `an hour without bytes is said in words`() {
    let none = [History.Bytes](repeating: History.Bytes(), count: 60)
    #expect(Chart(minutes: none).html.text == "<p>No bytes of blobs in the last hour.</p>")
  }

  @Test func `a bar shows both parts however small one is`() {
    var minutes = [History.Bytes](repeating: History.Bytes(), count: 60)
    minutes[59].paths[DeliveryPath.redirected.rawValue] = 1_000_000_000
    minutes[59].paths[DeliveryPath.passed.rawValue] = 1
    let text = Chart(minutes: minutes).html.text
    #expect(text.contains(#"class="other" x="590" y="0" width="8" height="1""#))
    #expect(text.contains(#"class="offloaded" x="590" y="1" width="8" height="119""#))
  }
}

struct ReasonBarTests {
  @Test
  func `reasons have a piece each, the rarest share one, and what nobody can offload has none`() {
    let metrics = Metrics()
    #expect(ReasonBar(metrics).html.text.contains("No request that could be offloaded"))
    metrics.decisions[.redirect].add(990)
    let kinds: [PassReason.Kind] = [.busy, .store, .road, .coldLimit, .coldRange, .loop]
    for (count, kind) in kinds.enumerated() {
      metrics.passes[kind].add(Int64(count + 1))
    }
    metrics.passes[.upstreamStatus].add(5000)
    let bar = ReasonBar(metrics)
    #expect(bar.others == 5000)
    #expect(
      bar.pieces.map(\.name) == [
        "offloaded", "pass: loop", "pass: cold-range", "pass: cold-limit", "pass: road",
        "pass: other reasons",
      ])
    #expect(bar.pieces.map(\.count) == [990, 6, 5, 4, 3, 3])
    let text = bar.html.text.replacing("\u{202F}", with: " ")
    #expect(text.contains("98 %</b> offloaded"))
    #expect(text.contains("&lt; 1 %</b> pass: loop"))
  }
}

struct MomentWordsTests {
  @Test(
    arguments: [
      (-5, "now"), (0, "now"), (1, "1 second ago"), (59, "59 seconds ago"), (60, "1 minute ago"),
      (3599, "59 minutes ago"), (3600, "1 hour ago"), (86_400, "1 day ago"),
      (200_000, "2 days ago"),
    ] as [(Int64, String)])
  func `how long ago`(seconds: Int64, words: String) {
    #expect(UnixTime(seconds: 1_000_000 - seconds).ago(at: UnixTime(seconds: 1_000_000)) == words)
  }
}

struct HealthTests {
  @Test func `since when something is as it is`() {
    let health = Health()
    #expect(health.since(.bucket) == nil)
    _ = health.learn(.bucket, .bad("gone"), at: UnixTime(seconds: 10))
    _ = health.learn(.bucket, .bad("still gone"), at: UnixTime(seconds: 20))
    #expect(health.since(.bucket) == UnixTime(seconds: 10))
    _ = health.learn(.bucket, .good("there"), at: UnixTime(seconds: 30))
    #expect(health.since(.bucket) == UnixTime(seconds: 30))
  }

  @Test func `not ready before all has been looked at, and while something is missing`() {
    let health = Health()
    #expect(health.reasonsNotReady.count == 3)
    for dependency in Dependency.allCases { _ = health.learn(dependency, .good("")) }
    #expect(health.reasonsNotReady.isEmpty)
    _ = health.learn(.upstream, .bad("down"))
    _ = health.learn(.spool, .bad("full"))
    #expect(health.reasonsNotReady.isEmpty, "what is in the bucket is given out")
    #expect(health.learn(.bucket, .bad("gone")) == .good(""))
    #expect(health.reasonsNotReady == ["bucket: gone"])
    health.beginStop()
    #expect(health.reasonsNotReady == ["listener: bloblo stops", "bucket: gone"])
  }
}

struct NumbersOfOthersTests {
  @Test func `a counter that is too small for what it is told goes on`() {
    let history = History(at: UnixTime(seconds: 60))
    let counters = Counters<DeliveryPath>()
    for _ in 0..<3 {
      counters[.passed].add(.max)
      history.take(counters, at: UnixTime(seconds: 60))
    }
    _ = Chart(minutes: history.reading.minutes).html
    _ = history.reading.today.share
  }

  @Test(
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (.max, "838860.7 TiB"),
    ] as [(Int64, String)])
  func `bytes in words`(bytes: Int64, words: String) { #expect(bytesInWords(bytes) == words) }
}

struct MillisecondsTests {
  @Test(
    arguments: [
      (0, "0.0 ms"), (840_000, "0.8 ms"), (27_100_000, "27 ms"), (999_000_000, "999 ms"),
      (1_290_000_000, "1.2 s"),
    ] as [(Int64, String)])
  func `a time in words`(nanoseconds: Int64, words: String) {
    #expect(milliseconds(nanoseconds) == words)
  }
}
