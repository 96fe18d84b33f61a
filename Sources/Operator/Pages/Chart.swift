internal import Primitives
internal import Telemetry

/// The bytes of the last hour, one bar a minute: offloaded bytes below, the others above.
///
/// SVG with classes and without styles, which the Content-Security-Policy would forbid.
struct Chart {
  let minutes: [History.Bytes]
  private let width = 600
  private let height = 120

  init(minutes: [History.Bytes]) { self.minutes = minutes }

  var html: HTML {
    let highest = minutes.map(\.total).max() ?? 0
    guard highest > 0 else { return "<p>No bytes of blobs in the last hour.</p>" }
    let sum = minutes.reduce(History.Bytes(), +)
    let bars: [HTML] = minutes.enumerated().map { bar($0.offset, $0.element, highest: highest) }
    return """
      <figure><svg viewBox="0 0 \(width) \(height)" role="img" aria-labelledby="chart-title" \
      preserveAspectRatio="none"><title id="chart-title">Bytes a minute in the last hour: \
      \(bytesInWords(sum.offloaded)) of \(bytesInWords(sum.total)) offloaded, at most \
      \(bytesInWords(highest)) a minute</title>\(bars)</svg>
      <figcaption><span>60 minutes ago</span><span class="legend"><i class="offloaded"></i>offloaded \
      <i class="other"></i>from the registry</span><span>now; highest \(bytesInWords(highest)) a minute\
      </span></figcaption></figure>
      """
  }

  private func bar(_ index: Int, _ bytes: History.Bytes, highest: Int64) -> HTML {
    guard bytes.total > 0 else { return "" }
    let step = width / minutes.count
    let whole = max(2, pixels(bytes.total, highest))
    // A part that is not zero stays visible.
    var offloaded = min(whole, pixels(bytes.offloaded, highest))
    if bytes.offloaded > 0 { offloaded = max(1, offloaded) }
    if bytes.offloaded < bytes.total { offloaded = min(whole - 1, offloaded) }
    let x = index * step
    return """
      <g><title>\(minutes.count - 1 - index) minutes ago: \(bytesInWords(bytes.offloaded)) of \
      \(bytesInWords(bytes.total)) offloaded</title>\
      <rect class="other" x="\(x)" y="\(height - whole)" width="\(step - 2)" height="\(whole - offloaded)"/>\
      <rect class="offloaded" x="\(x)" y="\(height - offloaded)" width="\(step - 2)" height="\(offloaded)"/>\
      </g>
      """
  }

  private func pixels(_ bytes: Int64, _ highest: Int64) -> Int {
    Int(Double(bytes) / Double(highest) * Double(height))
  }
}
