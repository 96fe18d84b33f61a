internal import Offload
internal import Telemetry

/// One bar of all requests that could have been offloaded, with a piece for each reason.
struct ReasonBar {
  struct Piece {
    let name: String
    let meaning: String
    let count: Int64
    /// Of the style sheet.
    let form: String
  }

  /// The classes of the reasons that have a piece of their own; the others share one.
  private static let forms = ["r1", "r2", "r3", "r4"]

  let pieces: [Piece]
  /// Requests that can't be offloaded.
  let others: Int64

  init(_ metrics: Metrics) {
    let decisions = metrics.decisions
    let offloaded = [DecisionKind.redirect, .accelerate, .multipart].reduce(Int64(0)) {
      $0 + decisions[$1].value
    }
    var pieces = [
      Piece(
        name: "offloaded", meaning: "sent to the bucket, or read from it", count: offloaded,
        form: "offloaded"),
      Piece(
        name: "cold", meaning: DecisionKind.tee.meaning, count: decisions[.tee].value,
        form: "other"),
    ]
    let reasons = metrics.passes.values.filter { $0.value > 0 && $0.kind.couldBeOffloaded }
      .sorted { $0.value > $1.value }
    for (reason, form) in zip(reasons, Self.forms) {
      pieces.append(
        Piece(
          name: "pass: \(reason.kind.word)", meaning: reason.kind.meaning, count: reason.value,
          form: form))
    }
    let rest = reasons.dropFirst(Self.forms.count).reduce(Int64(0)) { $0 + $1.value }
    pieces.append(Piece(name: "pass: other reasons", meaning: "see below", count: rest, form: "r5"))
    self.pieces = pieces.filter { $0.count > 0 }
    others = metrics.passes.values.filter { !$0.kind.couldBeOffloaded }.reduce(0) { $0 + $1.value }
  }

  private var total: Int64 { pieces.reduce(0) { $0 + $1.count } }

  var html: HTML {
    guard total > 0 else { return "<p>No request that could be offloaded has come yet.</p>" }
    var x = 0.0
    let bars: [HTML] = pieces.map { piece in
      let width = Double(piece.count) / Double(total) * 600
      defer { x += width }
      return """
        <rect class="\(piece.form)" x="\(tenths(x))" y="0" width="\(tenths(max(1, width)))" height="24">\
        <title>\(piece.name): \(percent(piece.count))</title></rect>
        """
    }
    let items: [HTML] = pieces.map {
      """
      <li><i class="\($0.form)"></i><b>\(percent($0.count))</b> \($0.name) \
      <span class="soft">\($0.count): \($0.meaning)</span></li>
      """
    }
    return """
      <figure><svg class="bar" viewBox="0 0 600 24" role="img" aria-labelledby="reasons-title" \
      preserveAspectRatio="none"><title id="reasons-title">\(pieces.map { "\($0.name) \(percent($0.count))" }
        .joined(separator: ", "))</title>\(bars)</svg></figure>
      <ul class="reasons legend">\(items)</ul>
      """
  }

  /// A count above zero is never shown as 0 %, and less than all never as 100 %.
  private func percent(_ count: Int64) -> String {
    let share = Double(count) / Double(total) * 100
    if share < 1 { return "<\u{202F}1\u{202F}%" }
    return "\(count == total ? 100 : min(99, Int(share.rounded())))\u{202F}%"
  }

  private func tenths(_ value: Double) -> String {
    let tenths = Int(value * 10)
    return "\(tenths / 10).\(tenths % 10)"
  }
}
