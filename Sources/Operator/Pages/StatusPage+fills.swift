internal import Fill
internal import Primitives
internal import Registry
internal import Telemetry

/// Fills in progress, and fills that failed.
extension StatusPage {
  var fills: HTML {
    let metrics = operation.metrics
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
    let failures = metrics.fillsFailed.values.filter { $0.value > 0 }
      .map { "\($0.value) \($0.kind.word)" }.joined(separator: ", ")
    let failed: HTML =
      failures.isEmpty ? "failed: none" : "<b class=\"bad\">failed: \(failures)</b>"
    return """
      <section aria-labelledby="h-fills"><h2 id="h-fills">Fills</h2>
      <div id="fills" data-live>
      <p>\(metrics.fillsDone.value) done (\(bytesInWords(metrics.filledBytes.value))), \
      \(metrics.fillsElsewhere.value) by another instance, \(failed). \
      Spool: \(bytesInWords(spool.used)) of \(bytesInWords(spool.limit)).</p>
      \(table(["Blob", "Progress", "Clients reading along"], rows, ifEmpty: "None in progress."))
      \(failedFills)
      </div></section>
      """
  }

  /// The last ones.
  private var failedFills: HTML {
    let rows: [HTML] = operation.recorder.failedFills.all.map { failure in
      """
      <tr><td data-label="When">\(moment(failure.time))</td>\
      <td data-label="Why" class="bad">\(failure.cause.word): \(failure.words.prefix(300))</td>\
      <td data-label="Blob"><code>\(short(failure.digest))</code></td></tr>
      """
    }
    return rows.isEmpty ? "" : "<h3>Failed last</h3>\(table(["When", "Why", "Blob"], rows))"
  }
}
