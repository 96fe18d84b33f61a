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
    minutes[59].roads[Road.redirected.rawValue] = 1_000_000_000
    minutes[59].roads[Road.passed.rawValue] = 1
    let text = Chart(minutes: minutes).html.text
    #expect(text.contains(#"class="other" x="590" y="0" width="8" height="1""#))
    #expect(text.contains(#"class="offloaded" x="590" y="1" width="8" height="119""#))
  }
}

struct HealthTests {
  @Test func `not ready before all has been looked at, and while something is missing`() {
    let health = Health()
    #expect(health.reasonsNotReady.count == 3)
    for need in Need.allCases { _ = health.learn(need, .good("")) }
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
    let counters = Counters<Road>()
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
