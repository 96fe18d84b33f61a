/// Writes figures in Prometheus' text format.
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
  package mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  package mutating func sample(_ name: String, _ labels: Labels, _ value: String) {
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

  package mutating func sample(_ name: String, _ labels: Labels, _ value: Int64) {
    sample(name, labels, String(value))
  }

  /// A metric of one sample.
  package mutating func metric(_ name: String, _ kind: Kind, _ help: String, _ value: Int64) {
    begin(name, kind, help)
    sample(name, [:], value)
  }

  package mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram) {
    begin(name, .histogram, help)
    let reading = histogram.reading
    var count: Int64 = 0
    for (bound, more) in zip(histogram.bounds, reading.counts) {
      count += more
      sample("\(name)_bucket", ["le": seconds(bound)], count)
    }
    sample("\(name)_bucket", ["le": "+Inf"], reading.count)
    sample("\(name)_sum", [:], seconds(reading.nanoseconds))
    sample("\(name)_count", [:], reading.count)
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
