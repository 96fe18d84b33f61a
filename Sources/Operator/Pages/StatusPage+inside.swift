internal import Logging
internal import Offload
internal import Settings
internal import Telemetry
internal import Threading

/// The lower part of the page, for people who know bloblo well: caches, threads, settings.
extension StatusPage {
  var inside: HTML {
    let caches: [HTML] = operation.caches.map { name, counts in
      let asked = counts.hits + counts.misses
      return row([
        ("Cache", name), ("Entries", "\(counts.entries)"),
        ("Found", asked == 0 ? "–" : "\(counts.hits * 100 / asked) % of \(asked)"),
        ("Evicted", "\(counts.evictions)"),
      ])
    }
    let pools: [HTML] = operation.pools.map { name, load in
      row([
        ("Threads", name), ("Busy", "\(load.busy)\u{A0}of\u{A0}\(load.limit)"),
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
      \(table(["Cache", "Entries", "Found", "Evicted"], caches, isWide: false))\
      \(table(["Threads", "Busy", "Waiting"], all, isWide: false))</div></section>
      """
  }

  /// The settings that are set, and the defaults of all others.
  var settings: HTML {
    func rows(areDefaults: Bool) -> [HTML] {
      operation.settings.filter { $0.isDefault == areDefaults }.map {
        row([("Setting", $0.name), ("Value", $0.value.isEmpty ? "–" : $0.value)])
      }
    }
    let defaults = rows(areDefaults: true)
    return """
      <section aria-labelledby="h-settings"><h2 id="h-settings">Settings in force</h2>
      <div id="settings-set">\(table(["Setting", "Value"], rows(areDefaults: false), ifEmpty: "None is set."))</div>
      <details><summary>\(defaults.count) defaults; the log's level is \
      \(operation.volume.level.rawValue)</summary>
      <div id="settings-default">\(table(["Setting", "Value"], defaults))</div></details></section>
      """
  }
}
