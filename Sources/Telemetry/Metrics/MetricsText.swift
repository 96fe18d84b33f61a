/// Writes metrics in Prometheus' text format.
///
/// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
package struct MetricsText {
  package private(set) var text = ""

  package init() {}

  package enum Kind: String {
    case counter, gauge, histogram
  }

  package typealias Labels = KeyValuePairs<String, String>

  /// Begins a metric; its samples follow.
  package mutating func begin(_ name: String, _ kind: Kind, help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  package mutating func sample(_ name: String, _ labels: Labels, value: String) {
    text += name
    if !labels.isEmpty {
      text += "{"
      for (i, label) in labels.enumerated() {
        if i > 0 { text += "," }
        text += "\(label.key)=\"\(escaped(label.value))\""
      }
      text += "}"
    }
    text += " \(value)\n"
  }

  package mutating func sample(_ name: String, _ labels: Labels, value: Int64) {
    sample(name, labels, value: String(value))
  }

  /// A metric of one sample.
  package mutating func metric(_ name: String, _ kind: Kind, help: String, value: Int64) {
    begin(name, kind, help: help)
    sample(name, [:], value: value)
  }

  package mutating func histogram(_ name: String, help: String, _ histogram: Histogram) {
    begin(name, .histogram, help: help)
    let reading = histogram.reading
    var count: Int64 = 0
    for (bound, more) in zip(histogram.bounds, reading.counts) {
      count += more
      sample("\(name)_bucket", ["le": seconds(bound)], value: count)
    }
    sample("\(name)_bucket", ["le": "+Inf"], value: reading.count)
    sample("\(name)_sum", [:], value: seconds(reading.nanoseconds))
    sample("\(name)_count", [:], value: reading.count)
  }
}

/// Nanoseconds as seconds, exactly.
package func seconds(_ nanoseconds: Int64) -> String {
  let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
  if rest == 0 { return String(whole) }
  var digits = String(1_000_000_000 + abs(rest)).dropFirst()
  while digits.last == "0" { digits.removeLast() }
  return "\(nanoseconds < 0 && whole == 0 ? "-" : "")\(whole).\(digits)"
}

private func escaped(_ value: String) -> String {
  var escaped = ""
  for character in value.unicodeScalars {
    switch character {
    case "\\": escaped += "\\\\"
    case "\"": escaped += "\\\""
    case "\n": escaped += "\\n"
    default: escaped.unicodeScalars.append(character)
    }
  }
  return escaped
}
