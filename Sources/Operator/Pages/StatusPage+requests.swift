internal import Gateway
internal import Offload
internal import Registry
internal import Telemetry

/// The decisions on requests, and the last passes.
extension StatusPage {
  var decisions: HTML {
    let metrics = operation.metrics
    let kinds: [HTML] = metrics.decisions.values.filter { $0.value > 0 }.map {
      row([
        ("Decision", $0.kind.word), ("What it means", $0.kind.meaning), ("Requests", "\($0.value)"),
      ])
    }
    let passes = metrics.passes.values.filter { $0.value > 0 }.sorted { $0.value > $1.value }
    func rows(couldBeOffloaded: Bool) -> [HTML] {
      passes.filter { isFolded($0.kind) != couldBeOffloaded }.map {
        row([
          ("Decision", "pass: \($0.kind.word)"), ("What it means", meaning(of: $0.kind)),
          ("Requests", "\($0.value)"),
        ])
      }
    }
    let names = ["Decision", "What it means", "Requests"]
    return """
      <section aria-labelledby="h-decisions"><h2 id="h-decisions">Decisions since the start</h2>
      <div id="decisions" data-live>\(table(
        names, kinds + rows(couldBeOffloaded: true), ifEmpty: "No request has come yet."))</div>
      <details><summary>Normal passes</summary><div id="decisions-normal" data-live>\(table(
        names, rows(couldBeOffloaded: false), ifEmpty: "None so far."))</div></details></section>
      """
  }

  var passes: HTML {
    let names = ["When", "Why", "Blob", "Client"]
    return """
      <section aria-labelledby="h-passes"><h2 id="h-passes">Last passes to the registry</h2>
      <div id="passes" data-live>\(table(names, passRows(couldBeOffloaded: true), ifEmpty: "None so far."))</div>
      <details><summary>Normal passes: refused, conditional, small</summary>
      <div id="passes-normal" data-live>\(table(
        names, passRows(couldBeOffloaded: false), ifEmpty: "None so far."))</div></details></section>
      """
  }

  private func passRows(couldBeOffloaded: Bool) -> [HTML] {
    let passes = operation.recorder.recentPasses.all.filter {
      isFolded($0.reason) != couldBeOffloaded
    }
    return passes.map { pass in
      let blob: HTML =
        if let path = pass.path {
          "\(path.name.description) <code>\(short(path.digest))</code>"
        } else {
          "–"
        }
      let why: HTML = "\(pass.reason.word)\(pass.words.map { ": " + $0.prefix(300) } ?? "")"
      return """
        <tr><td data-label="When">\(moment(pass.time))</td>\
        <td data-label="Why">\(why)<p>\(meaning(of: pass.reason))</p></td><td data-label="Blob">\(blob)</td>\
        <td data-label="Client">\(pass.client.isEmpty ? "–" : pass.client)</td></tr>
        """
    }
  }

  /// Whether the page folds this reason away: normal reasons are, unless nearly all blobs pass for one.
  private func isFolded(_ kind: PassReason.Kind) -> Bool {
    !kind.couldBeOffloaded
      && !operation.passAlarm.all.contains { $0.finding.reason == kind }
  }

  /// What the reason means. A reason for which nearly all blobs pass is not called normal.
  private func meaning(of kind: PassReason.Kind) -> String {
    if operation.passAlarm.all.contains(where: { $0.finding.reason == kind }) {
      return kind.advice.hasPrefix(kind.meaning)
        ? kind.advice : "\(kind.meaning) \(kind.advice)"
    }
    guard kind.isNormal else { return kind.meaning }
    let isGiven = [DecisionKind.redirect, .accelerate, .tee, .multipart]
      .contains { operation.metrics.decisions[$0].value > 0 }
    if isGiven || kind.isOfNoBlob { return "\(kind.meaning) Normal." }
    return "\(kind.meaning) Normal while other blobs are offloaded; so far none was."
  }
}
