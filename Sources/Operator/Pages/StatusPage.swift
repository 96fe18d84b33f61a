internal import Fill
internal import Gateway
internal import Logging
internal import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Telemetry
internal import Threading

/// `GET /bloblo/`: for the person on duty, in one document that needs nothing else.
///
/// Parts with `data-live` are taken anew by the script; without it the browser loads the page again.
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
      \(needs)
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
    let bad = Need.allCases.filter { operation.health[$0].state == .bad }
    if !bad.isEmpty {
      let names = bad.map(\.name).joined(separator: ", ")
      return ("Not well: \(names)", "Not well: \(names).", false)
    }
    if Need.allCases.contains(where: { operation.health[$0].state == .unknown }) {
      return ("Starting", "Starting: not all has been looked at yet.", true)
    }
    return ("All is well", "All is well.", true)
  }

  /// The headline, and what is wrong in a sentence each.
  private var state: HTML {
    let troubles: [HTML] = Need.allCases.map { operation.health[$0] }.filter { $0.state == .bad }
      .map { "<p>\($0.sentence)</p>" }
    return """
      <div id="state" data-live role="status">\
      <strong class="\(headline.isWell ? "good" : "bad")">\(headline.sentence)</strong>\(troubles)\(notices)</div>
      """
  }

  /// What wants someone to look at it.
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

  // MARK: offload

  private var offload: HTML {
    let (minutes, today) = operation.history.reading
    let quarter = minutes.suffix(15).reduce(History.Bytes(), +)
    return """
      <section aria-labelledby="h-offload"><h2 id="h-offload">Bytes that the registry was spared</h2>
      <div id="offload" data-live>
      <dl class="figures">
      \(figure("Last 15 minutes", quarter))
      \(figure("Today, since \(todayStart) UTC", today))
      </dl>
      \(Chart(minutes: minutes).html)
      </div></section>
      """
  }

  private var todayStart: String {
    operation.start.seconds / 86_400 == now.seconds / 86_400 ? operation.start.clock : "00:00"
  }

  private func figure(_ name: String, _ bytes: History.Bytes) -> HTML {
    let share: HTML = if let share = bytes.share { "\(share)\u{202F}%" } else { "–" }
    let roads: [HTML] = Road.allCases.filter { bytes[$0] > 0 }.map {
      "<li>\(bytesInWords(bytes[$0])) \($0.word)</li>"
    }
    return """
      <div><dt>\(name)</dt><dd><b>\(share)</b> of \(bytesInWords(bytes.total))\
      <ul>\(roads)</ul></dd></div>
      """
  }

  // MARK: needs

  private var needs: HTML {
    let items: [HTML] = Need.allCases.map { need in
      let verdict = operation.health[need]
      let (word, mark) =
        switch verdict.state {
        case .good: ("well", "✓")
        case .bad: ("not well", "✗")
        case .unknown: ("unknown", "…")
        }
      return """
        <li class="\(verdict.state == .good ? "good" : verdict.state == .bad ? "bad" : "unknown")" \
        id="need-\(need.word)"><span class="mark" aria-hidden="true">\(mark)</span>\
        <div><h3>\(need.name): \(word)</h3><p>\(verdict.sentence)</p></div></li>
        """
    }
    return """
      <section aria-labelledby="h-needs"><h2 id="h-needs">What bloblo needs</h2>
      <ul id="needs" class="needs" data-live>\(items)</ul></section>
      """
  }

  // MARK: decisions

  private var decisions: HTML {
    let figures = operation.figures
    let kinds: [HTML] = figures.decisions.values.filter { $0.value > 0 }.map {
      row([
        ("Decision", $0.kind.word), ("What it means", $0.kind.meaning), ("Requests", "\($0.value)"),
      ])
    }
    let passes: [HTML] = figures.passes.values.filter { $0.value > 0 }.sorted {
      $0.value > $1.value
    }
    .map {
      row([
        ("Decision", "pass: \($0.kind.word)"), ("What it means", meaning(of: $0.kind)),
        ("Requests", "\($0.value)"),
      ])
    }
    return """
      <section aria-labelledby="h-decisions"><h2 id="h-decisions">Decisions since the start</h2>
      <div id="decisions" data-live>\(table(
        ["Decision", "What it means", "Requests"], kinds + passes, "No request has come yet."))</div></section>
      """
  }

  /// "Normal" is no word for what all blobs meet.
  private func meaning(of kind: PassReason.Kind) -> String {
    if operation.passAlarm.all.contains(where: { $0.finding.reason == kind }) {
      return kind.advice.hasPrefix(kind.meaning)
        ? kind.advice : "\(kind.meaning) \(kind.advice)"
    }
    guard kind.isNormal else { return kind.meaning }
    let isGiven = [DecisionKind.redirect, .accelerate, .tee, .multipart]
      .contains { operation.figures.decisions[$0].value > 0 }
    if isGiven || kind.isOfNoBlob { return "\(kind.meaning) Normal." }
    return "\(kind.meaning) Normal beside blobs that are given out; so far none was."
  }

  // MARK: fills

  private var fills: HTML {
    let figures = operation.figures
    let fills = operation.filler.progress
    let spool = operation.filler.spoolBytes
    let rows: [HTML] = fills.prefix(50).map { fill in
      let bar: HTML =
        fill.isWaiting
        ? "waiting"
        : """
        <progress max="\(fill.size ?? 0)" value="\(fill.written)" aria-label="\(short(fill.digest))">\
        </progress> \(bytesInWords(fill.written)) of \(fill.size.map(bytesInWords) ?? "?")
        """
      return """
        <tr><td data-label="Blob"><code>\(short(fill.digest))</code></td>\
        <td data-label="Progress">\(bar)</td>\
        <td data-label="Clients reading along" class="number">\(fill.followers)</td></tr>
        """
    }
    let failures = figures.fillsFailed.values.filter { $0.value > 0 }
      .map { "\($0.value) \($0.kind.word)" }.joined(separator: ", ")
    return """
      <section aria-labelledby="h-fills"><h2 id="h-fills">Fills</h2>
      <div id="fills" data-live>
      <p>\(figures.fillsDone.value) done (\(bytesInWords(figures.filledBytes.value))), \
      \(figures.fillsElsewhere.value) by another instance, failed: \(failures.isEmpty ? "none" : failures). \
      Spool: \(bytesInWords(spool.used)) of \(bytesInWords(spool.limit)).</p>
      \(table(["Blob", "Progress", "Clients reading along"], rows, "None in progress."))
      </div></section>
      """
  }

  // MARK: passes

  private var passes: HTML {
    let rows: [HTML] = operation.ledger.recentPasses.all.map { pass in
      let blob: HTML =
        if let path = pass.path {
          "\(path.name.description) <code>\(short(path.digest))</code>"
        } else {
          "–"
        }
      let why: HTML = "\(pass.reason.word)\(pass.words.map { ": " + $0.prefix(300) } ?? "")"
      return """
        <tr><td data-label="When"><time datetime="\(pass.time.iso)">\(pass.time.clock)</time></td>\
        <td data-label="Why">\(why)<p>\(meaning(of: pass.reason))</p></td><td data-label="Blob">\(blob)</td>\
        <td data-label="Client">\(pass.client.isEmpty ? "–" : pass.client)</td></tr>
        """
    }
    return """
      <section aria-labelledby="h-passes"><h2 id="h-passes">Last passes to the registry</h2>
      <div id="passes" data-live>\(table(
        ["When", "Why", "Blob", "Client"], rows, "None so far."))</div></section>
      """
  }

  // MARK: inside

  private var inside: HTML {
    let memories: [HTML] = operation.memories.map { name, counts in
      let asked = counts.hits + counts.misses
      return row([
        ("Memory", name), ("Entries", "\(counts.entries)"),
        ("Found", asked == 0 ? "–" : "\(counts.hits * 100 / asked) % of \(asked)"),
        ("Evicted", "\(counts.evictions)"),
      ])
    }
    let pools: [HTML] = operation.pools.map { name, load in
      row([
        ("Threads", name), ("Busy", "\(load.busy) of \(load.limit)"),
        ("Waiting", "\(load.waiting)"),
      ])
    }
    let questions = operation.questions
    let all =
      pools + [
        row([
          ("Threads", "questions to registries (no threads)"), ("Busy", "\(questions.onWire)"),
          ("Waiting", "\(questions.waiting)"),
        ])
      ]
    return """
      <section aria-labelledby="h-inside"><h2 id="h-inside">Inside</h2>
      <div id="inside" class="pair" data-live>\
      \(table(["Memory", "Entries", "Found", "Evicted"], memories, isWide: false))\
      \(table(["Threads", "Busy", "Waiting"], all, isWide: false))</div></section>
      """
  }

  // MARK: settings

  private var settings: HTML {
    let rows: [HTML] = operation.settings.map {
      row([
        ("Setting", $0.name), ("Value", $0.value.isEmpty ? "–" : $0.value),
        ("", $0.isDefault ? "default" : "set"),
      ])
    }
    return """
      <section aria-labelledby="h-settings"><h2 id="h-settings">Settings in force</h2>
      <details><summary>\(operation.settings.count) settings; the log's level is \
      \(operation.volume.level.rawValue)</summary>
      \(table(["Setting", "Value", ""], rows))</details></section>
      """
  }

  // MARK: parts

  /// - Parameter isWide: its rows become paragraphs on a phone.
  private func table(
    _ names: [String], _ rows: [HTML], _ none: String = "", isWide: Bool = true
  ) -> HTML {
    if rows.isEmpty { return "<p>\(none)</p>" }
    let head: [HTML] = names.map {
      $0.isEmpty ? "<td></td>" : "<th scope=\"col\">\($0)</th>"
    }
    return
      "<table\(isWide ? " class=\"rows\"" : "" as HTML)><thead><tr>\(head)</tr></thead><tbody>\(rows)</tbody></table>"
  }

  private func row(_ cells: [(label: String, value: String)]) -> HTML {
    let cells: [HTML] = cells.map { label, value in
      let isNumber = value.first?.isNumber ?? false
      return
        "<td data-label=\"\(label)\"\(isNumber ? " class=\"number\"" : "" as HTML)>\(value)</td>"
    }
    return "<tr>\(cells)</tr>"
  }

  /// Enough of a digest to find it.
  private func short(_ digest: Digest) -> String { String("\(digest)".prefix(19)) + "…" }
}
