internal import Telemetry

/// How long a server took to answer in the last hour, one bar a minute: dark to p50, light to p95.
struct LatencyChart {
  let name: String
  /// Of the page's element.
  let id: String
  let history: LatencyHistory
  private let width = 600
  private let height = 80

  init(_ name: String, id: String, _ history: LatencyHistory) {
    self.name = name
    self.id = id
    self.history = history
  }

  var html: HTML {
    let minutes = history.minutes
    let quarter = history.recent(minutes: 15)
    let hour = history.recent(minutes: History.minutes)
    guard hour.count > 0 else {
      return "<div id=\"latency-\(id)\"><h3>\(name)</h3><p>Not asked in the last hour.</p></div>"
    }
    let highest = minutes.map(\.p95).max() ?? 0
    let bars: [HTML] = minutes.enumerated().map {
      bar($0.offset, $0.element, highest: max(1, highest))
    }
    return """
      <div id="latency-\(id)"><h3>\(name)</h3><p>\(words(quarter, "last 15 minutes"))</p>
      <figure><svg class="low" viewBox="0 0 \(width) \(height)" role="img" \
      aria-labelledby="latency-\(id)-title" preserveAspectRatio="none">\
      <title id="latency-\(id)-title">\(name), the last hour: \(words(hour, "60 minutes"))</title>\(bars)</svg>
      <figcaption><span>60 minutes ago</span><span class="legend"><i class="offloaded"></i>to p50 \
      <i class="other"></i>to p95</span><span>now; highest \(milliseconds(highest))</span></figcaption></figure></div>
      """
  }

  private func words(_ quantiles: Quantiles, _ time: String) -> HTML {
    quantiles.count == 0
      ? "not asked in the \(time)"
      : """
      p50 \(milliseconds(quantiles.p50)), p95 \(milliseconds(quantiles.p95)) of \(answers(quantiles.count)), \(time)
      """
  }

  private func answers(_ count: Int64) -> String { count == 1 ? "1 answer" : "\(count) answers" }

  private func bar(_ index: Int, _ minute: Quantiles, highest: Int64) -> HTML {
    guard minute.count > 0 else { return "" }
    let step = width / History.minutes
    let whole = max(2, pixels(minute.p95, highest))
    let half = min(whole - 1, max(1, pixels(minute.p50, highest)))
    return """
      <g><title>\(History.minutes - 1 - index) minutes ago: p50 \(milliseconds(minute.p50)), \
      p95 \(milliseconds(minute.p95)) of \(answers(minute.count))</title>\
      <rect class="other" x="\(index * step)" y="\(height - whole)" width="\(step - 2)" \
      height="\(whole - half)"/>\
      <rect class="offloaded" x="\(index * step)" y="\(height - half)" width="\(step - 2)" height="\(half)"/></g>
      """
  }

  private func pixels(_ value: Int64, _ highest: Int64) -> Int {
    Int(Double(value) / Double(highest) * Double(height))
  }
}

/// `0.8 ms`, `27 ms`, `1.2 s`.
func milliseconds(_ nanoseconds: Int64) -> String {
  let tenths = nanoseconds / 100_000
  if tenths < 100 { return "\(tenths / 10).\(tenths % 10) ms" }
  if tenths < 10_000 { return "\(tenths / 10) ms" }
  return "\(tenths / 10_000).\(tenths / 1000 % 10) s"
}
