/// Reads settings from named texts and collects what is wrong with them, so that the log names all mistakes
/// together.
package struct SettingsReader {
  let environment: [String: String]
  /// The errors, one sentence each: the setting's name, what was wanted, what was found.
  package private(set) var problems: [String] = []
  /// Defaults that depend on other settings, as an operator would write them.
  private(set) var defaults: [String: String] = [:]

  package init(_ environment: [String: String]) {
    self.environment = environment
  }

  /// The setting's text. An empty value counts as not set.
  func text<Value>(_ setting: Setting<Value>) -> String? { text(named: setting.name) }

  package func isSet<Value>(_ setting: Setting<Value>) -> Bool { text(setting) != nil }

  private func text(named name: String) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Sets the default of a setting that depends on other settings.
  mutating func holds<Value>(_ setting: Setting<Value>, _ text: String) {
    defaults[setting.name] = text
  }

  /// The setting's value, or its default where it is not set or wrong.
  ///
  /// - Parameter other: a default that depends on other settings, and how it would be written.
  package mutating func value<Value>(
    _ setting: Setting<Value>, default other: (value: Value, text: String)? = nil
  ) -> Value {
    let fallback = other?.value ?? setting.fallback
    guard let text = text(setting) else {
      if let other { defaults[setting.name] = other.text }
      return fallback
    }
    if let value = setting.read(text) { return value }
    refuse("\(setting.name): want \(setting.want), got \"\(withoutUser(text))\"")
    return fallback
  }

  /// Once, even if the setting is read several times.
  mutating func refuse(_ problem: String) {
    if !problems.contains(problem) { problems.append(problem) }
  }
}

/// Removes user and password from a URL, for error texts.
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
}

/// In the largest unit that leaves a whole number.
func writtenBytes(_ bytes: Int64) -> String {
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
