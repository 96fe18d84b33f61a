/// Reads settings from named texts and collects what is wrong with them, so that all mistakes are told
/// together.
package struct SettingsReader {
  let environment: [String: String]
  /// One sentence each: the setting's name, what it should be, what it is.
  package private(set) var problems: [String] = []
  /// What holds where nothing is set, as a setting is written.
  private(set) var defaults: [String: String] = [:]

  package init(_ environment: [String: String]) {
    self.environment = environment
  }

  /// The first of these that is set; set to nothing is not set.
  func text(_ names: String...) -> String? {
    for name in names {
      if let value = environment[name], !value.isEmpty { return value }
    }
    return nil
  }

  /// A text that `read` understands.
  ///
  /// - Parameters:
  ///   - want: what it should be, as in "want …".
  ///   - text: the default as it would be written, where its value does not tell.
  mutating func value<Value>(
    _ name: String, default fallback: @autoclosure () -> Value, as text: String? = nil,
    want: String, _ read: (String) -> Value?
  ) -> Value {
    let defaultText = text
    guard let text = self.text(name) else {
      let value = fallback()
      defaults[name] = defaultText ?? written(value)
      return value
    }
    if let value = read(text) { return value }
    refuse(name, want: want, got: text)
    return fallback()
  }

  /// A text that `read` understands, or nothing where it is not set.
  ///
  /// Apart from the above, since an optional `Value` there would let a refusal pass for a `nil` that was read.
  mutating func optional<Value>(
    _ name: String, want: String, _ read: (String) -> Value?
  ) -> Value? {
    guard let text = self.text(name) else {
      defaults[name] = ""
      return nil
    }
    if let value = read(text) { return value }
    refuse(name, want: want, got: text)
    return nil
  }

  package mutating func boolean(_ name: String, default fallback: Bool) -> Bool {
    value(name, default: fallback, want: "true or false") { text in
      switch text.lowercased() {
      case "true", "1", "t", "yes", "on": true
      case "false", "0", "f", "no", "off": false
      default: nil
      }
    }
  }

  mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, default fallback: Choice
  ) -> Choice where Choice.RawValue == String {
    let want = "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ")
    return value(name, default: fallback, want: want) { Choice(rawValue: $0) }
  }

  mutating func number<Number: FixedWidthInteger>(
    _ name: String, default fallback: Number, in range: ClosedRange<Number>
  ) -> Number {
    value(name, default: fallback, want: "a number from \(range.lowerBound) to \(range.upperBound)")
    { text in
      Number(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  mutating func duration(
    _ name: String, default fallback: Duration, in range: ClosedRange<Duration>
  ) -> Duration {
    let want =
      "a time such as 500ms, 30s, 5m, 1h or 7d, from \(range.lowerBound.short) to \(range.upperBound.short)"
    return value(name, default: fallback, want: want) { text in
      Duration(setting: text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  mutating func byteCount(_ name: String, default fallback: Int64, in range: ClosedRange<Int64>)
    -> Int64
  {
    let want =
      "a number of bytes such as 1048576, 512MiB or 16GiB, from \(range.lowerBound) to \(range.upperBound)"
    return value(name, default: fallback, as: writtenBytes(fallback), want: want) { text in
      readByteCount(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  mutating func refuse(_ name: String, want: String, got: String?) {
    refuse("\(name): want \(want), got \(got.map { "\"\(withoutUser($0))\"" } ?? "nothing")")
  }

  /// Once, though several who read it refuse it.
  mutating func refuse(_ problem: String) {
    if !problems.contains(problem) { problems.append(problem) }
  }
}

/// As a setting is written.
private func written(_ value: Any) -> String {
  switch value {
  case let duration as Duration: duration.short
  case let choice as any RawRepresentable: "\(choice.rawValue)"
  case Optional<Any>.none: ""
  case let list as [Any]: list.map { "\($0)" }.joined(separator: ",")
  default: "\(value)"
  }
}

/// A URL's user and password are not for the screen.
func withoutUser(_ text: String) -> String {
  guard let at = text.lastIndex(of: "@") else { return text }
  return "<redacted>" + text[at...]
}

extension Duration {
  /// Reads a whole number and its unit: `ms`, `s`, `m`, `h` or `d`.
  package init?(setting text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), number <= 1 << 40 else { return nil }
    switch text.dropFirst(digits.count) {
    case "ms": self = .milliseconds(number)
    case "s": self = .seconds(number)
    case "m": self = .seconds(number * 60)
    case "h": self = .seconds(number * 3600)
    case "d": self = .seconds(number * 86_400)
    case "" where number == 0: self = .zero
    default: return nil
    }
  }

  /// As a setting is written.
  package var short: String {
    let (seconds, attoseconds) = components
    if attoseconds != 0 || seconds == 0 {
      return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms"
    }
    if seconds.isMultiple(of: 86_400) { return "\(seconds / 86_400)d" }
    if seconds.isMultiple(of: 3600) { return "\(seconds / 3600)h" }
    return seconds.isMultiple(of: 60) ? "\(seconds / 60)m" : "\(seconds)s"
  }
}

/// In the largest unit that leaves a whole number.
private func writtenBytes(_ bytes: Int64) -> String {
  for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, Int64)]
  where bytes > 0 && bytes != .max && bytes & (1 << shift - 1) == 0 {
    return "\(bytes >> shift)\(unit)"
  }
  return "\(bytes)"
}

/// Reads a whole number of bytes, with or without a binary unit.
func readByteCount(_ text: String) -> Int64? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  guard let number = Int64(digits) else { return nil }
  let shift: Int64
  switch text.dropFirst(digits.count).lowercased() {
  case "", "b": shift = 0
  case "k", "kib": shift = 10
  case "m", "mib": shift = 20
  case "g", "gib": shift = 30
  case "t", "tib": shift = 40
  default: return nil
  }
  let (product, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
  return overflow ? nil : product
}
