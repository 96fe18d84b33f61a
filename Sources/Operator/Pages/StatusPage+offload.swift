internal import Primitives
internal import Telemetry

/// The bytes and requests that did not reach the registry, and why the others did.
extension StatusPage {
  var offload: HTML {
    let (minutes, today) = operation.history.reading
    let quarter = minutes.suffix(15).reduce(History.Bytes(), +)
    return """
      <section aria-labelledby="h-offload"><h2 id="h-offload">Offloaded bytes</h2>
      <div id="offload" data-live>
      <dl class="figures">
      \(figure("Last 15 minutes", quarter))
      \(figure("Today, since \(todayStart) UTC", today))
      </dl>
      \(Chart(minutes: minutes).html)
      \(unsized)
      <h3>Requests that could have been offloaded, since the start</h3>
      \(bar.html)
      \(others)
      </div></section>
      """
  }

  /// The shares above are of known sizes.
  private var unsized: HTML {
    let count = operation.metrics.unsizedPasses.value
    return count == 0
      ? ""
      : "<p class=\"soft\">Not counted: \(count) passed blobs whose size bloblo does not know, since the start.</p>"
  }

  private var bar: ReasonBar { ReasonBar(operation.metrics) }

  private var others: HTML {
    bar.others == 0
      ? ""
      : "<p class=\"soft\">\(bar.others) more could not be offloaded: refused, conditional, small, or not for a blob.</p>"
  }

  private var todayStart: String {
    operation.start.seconds / 86_400 == now.seconds / 86_400 ? operation.start.clock : "00:00"
  }

  private func figure(_ name: String, _ bytes: History.Bytes) -> HTML {
    let share: HTML = if let share = bytes.share { "\(share)\u{202F}%" } else { "–" }
    let paths: [HTML] = DeliveryPath.allCases.filter { bytes[$0] > 0 }.map {
      "<li>\(bytesInWords(bytes[$0])) \($0.word)</li>"
    }
    return """
      <div><dt>\(name)</dt><dd><b>\(share)</b> of \(bytesInWords(bytes.total))\
      <ul>\(paths)</ul></dd></div>
      """
  }
}
