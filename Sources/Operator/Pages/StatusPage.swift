internal import Fill
internal import Gateway
internal import Logging
internal import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Telemetry
internal import Threading

/// `GET /bloblo/`: the status page, for the person on duty, in one document that loads nothing else.
///
/// The script replaces the parts with `data-live` every few seconds. Without script the browser loads the page again.
struct StatusPage {
  let operation: Operation
  let now: UnixTime

  init(_ operation: Operation, now: UnixTime) {
    self.operation = operation
    self.now = now
  }

  func render() -> String {
    let html: HTML = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(headline.title) · bloblo</title>
      <link rel="icon" href="data:,">
      <noscript><meta http-equiv="refresh" content="10"></noscript>
      <style>\(Self.style)</style>
      </head>
      <body>
      <a class="skip" href="#main">Skip to the figures</a>
      <header>
      <h1>bloblo</h1>
      \(state)
      <p id="lost" hidden role="alert"></p>
      </header>
      <main id="main">
      \(offload)
      \(dependencies)
      \(latencies)
      \(decisions)
      \(fills)
      \(passes)
      \(inside)
      \(settings)
      </main>
      <footer><p id="made" data-live>As of <time datetime="\(now.iso)">\(now.clock)</time> UTC, \
      running since <time datetime="\(operation.start.iso)">\(operation.start.day) \(operation.start.clock)</time> UTC, \
      version \(blobloVersion). <a href="/bloblo/metrics">Metrics</a>, \
      <a href="/bloblo/ready">readiness</a>.</p></footer>
      <script>\(Self.script)</script>
      </body>
      </html>

      """
    return html.text
  }

  private var headline: (title: String, sentence: String, isWell: Bool) {
    let bad = Dependency.allCases.filter { operation.health[$0].state == .bad }
    if !bad.isEmpty {
      let names = bad.map(\.name).joined(separator: ", ")
      return ("Failing: \(names)", "Failing: \(names).", false)
    }
    if Dependency.allCases.contains(where: { operation.health[$0].state == .unknown }) {
      return ("Starting", "Starting: some checks have not run yet.", true)
    }
    return ("All is well", "All is well.", true)
  }

  /// The headline, and what is wrong in a sentence each.
  private var state: HTML {
    let troubles: [HTML] = Dependency.allCases.filter { operation.health[$0].state == .bad }
      .map { "<p>\(operation.health[$0].sentence) \(since($0))</p>" }
    return """
      <div id="state" data-live role="status">\
      <strong class="\(headline.isWell ? "good" : "bad")">\(headline.sentence)</strong>\(troubles)\(notices)</div>
      """
  }

  /// Notices, locations that pass nearly all blobs, and suspicious settings.
  private var notices: HTML {
    let items: [HTML] = operation.notices.all.map { notice, sentence in
      "<li id=\"notice-\(notice.word)\"><b>Notice: \(notice.message).</b> \(sentence)</li>"
    }
    let passing: [HTML] = operation.passAlarm.all.map {
      "<li id=\"notice-nearly-all-pass\"><b>Notice: nearly all blobs pass.</b> \($0.sentence)</li>"
    }
    let warnings: [HTML] = operation.warnings.map { "<li><b>Setting:</b> \($0)</li>" }
    let all = items + passing + warnings
    return all.isEmpty ? "" : "<ul class=\"notices\">\(all)</ul>"
  }

  /// - Parameter isWide: its rows become paragraphs on a phone.
  func table(
    _ names: [String], _ rows: [HTML], ifEmpty none: String = "", isWide: Bool = true
  ) -> HTML {
    if rows.isEmpty { return "<p>\(none)</p>" }
    let head: [HTML] = names.map {
      $0.isEmpty ? "<td></td>" : "<th scope=\"col\">\($0)</th>"
    }
    return
      "<table\(isWide ? " class=\"rows\"" : "" as HTML)><thead><tr>\(head)</tr></thead><tbody>\(rows)</tbody></table>"
  }

  func row(_ cells: [(label: String, value: String)]) -> HTML {
    let cells: [HTML] = cells.map { label, value in
      let isNumber = value.first?.isNumber ?? false
      return
        "<td data-label=\"\(label)\"\(isNumber ? " class=\"number\"" : "" as HTML)>\(value)</td>"
    }
    return "<tr>\(cells)</tr>"
  }

  /// Since when a dependency is up or down.
  func since(_ dependency: Dependency) -> HTML {
    guard let time = operation.health.since(dependency) else { return "" }
    return "Since \(moment(time))."
  }

  /// `10:13:56 UTC, 1 minute ago`
  func moment(_ time: UnixTime) -> HTML {
    "<time datetime=\"\(time.iso)\">\(time.clock)</time> UTC, \(time.ago(at: now))"
  }

  /// Enough of a digest to find it.
  func short(_ digest: Digest) -> String { String("\(digest)".prefix(19)) + "…" }
}
