internal import S3
internal import Store
internal import Telemetry

/// The dependencies of bloblo, and their latencies.
extension StatusPage {
  var dependencies: HTML {
    let items: [HTML] = Dependency.allCases.map { dependency in
      let status = operation.health[dependency]
      let (word, mark) =
        switch status.state {
        case .good: ("ok", "✓")
        case .bad: ("failing", "✗")
        case .unknown: ("unknown", "…")
        case .unwatched: ("not checked", "–")
        }
      return """
        <li class="\(status.state == .good ? "good" : status.state == .bad ? "bad" : "unknown")" \
        id="need-\(dependency.word)"><span class="mark" aria-hidden="true">\(mark)</span>\
        <div><h3>\(dependency.name): \(word)</h3><p>\(status.sentence) \(status.state == .bad ? since(dependency) : "")</p></div></li>
        """
    }
    return """
      <section aria-labelledby="h-needs"><h2 id="h-needs">What bloblo needs</h2>
      <ul id="needs" class="needs" data-live>\(items)\(clock)</ul></section>
      """
  }

  /// This machine's clock, compared with S3's.
  private var clock: HTML {
    let clock = operation.credentials.clock
    let seconds = abs(clock.measured)
    let isWell = clock.correction == 0
    let words: HTML =
      seconds < 5
      ? "It agrees with S3's."
      : "It is \(seconds) s \(clock.measured > 0 ? "behind" : "ahead of") S3's."
    let advice: HTML =
      isWell
      ? ""
      : " bloblo corrects its signatures by that. Run chrony or systemd-timesyncd: registries refuse tokens whose start is in the future."
    return """
      <li class="\(isWell ? "good" : "bad")" id="clock"><span class="mark" aria-hidden="true">\(isWell ? "✓" : "✗")</span>\
      <div><h3>Clock: \(isWell ? "ok" : "wrong")</h3><p>\(words)\(advice)</p></div></li>
      """
  }

  /// How long registry and S3 take to answer.
  var latencies: HTML {
    """
    <section aria-labelledby="h-latencies"><h2 id="h-latencies">How long answers take</h2>
    <div id="latencies" class="pair" data-live>
    \(LatencyChart("Registry", id: "registry", operation.latencies.registry).html)
    \(LatencyChart("S3", id: "s3", operation.latencies.s3).html)
    </div></section>
    """
  }
}
