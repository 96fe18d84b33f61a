internal import Primitives
internal import System

/// The description of a setting, of whatever type.
package struct SettingFacts: Sendable {
  package enum Scope: Sendable {
    /// One value for the whole process.
    case process
    /// All locations read the same value.
    case shared
    /// A FastCGI param of the same name overrides it for a request.
    case location
  }

  package let name: String
  package var scope = Scope.process
  /// What the setting does and what its values mean, in plain words.
  package var help = ""
  /// The default as an operator would write it; empty when there is none.
  package let defaultText: String
  /// The default in words, where it can't be written as a value.
  package var defaultInWords: String?
  /// A value for the example file, where the default is not one that people would write.
  package var example: String?
  /// Whether its value is never shown.
  package var isSecret = false
  /// Whether it chooses the registry that proves, or the objects that URLs are signed for. On TCP no param may set
  /// it.
  package var isGuarded = false
}

/// A setting: its name, its default, and how its text is read.
///
///     reader.value(Declared.stopTimeout)
package struct Setting<Value: Sendable>: Sendable {
  package var facts: SettingFacts
  /// The value when it is not set.
  let fallback: Value
  /// What it should be, as in "want …".
  let want: String
  /// - Returns: `nil` for a text that is not a valid value.
  let read: @Sendable (String) -> Value?

  package var name: String { facts.name }

  /// - Parameter text: the default as an operator would write it.
  static func read(
    _ name: String, default fallback: Value, as text: String, want: String,
    _ read: @escaping @Sendable (String) -> Value?
  ) -> Setting {
    Setting(
      facts: SettingFacts(name: name, defaultText: text), fallback: fallback, want: want, read: read
    )
  }

  /// Adds the description.
  func explained(
    _ scope: SettingFacts.Scope, default inWords: String? = nil, example: String? = nil,
    isSecret: Bool = false, isGuarded: Bool = false, _ help: String
  ) -> Setting {
    var setting = self
    setting.facts.scope = scope
    setting.facts.help = help
    setting.facts.defaultInWords = inWords
    setting.facts.example = example
    setting.facts.isSecret = isSecret
    setting.facts.isGuarded = isGuarded
    return setting
  }
}

extension Setting where Value == Bool {
  static func boolean(_ name: String, default fallback: Bool) -> Setting {
    read(name, default: fallback, as: fallback ? "true" : "false", want: "true or false") { text in
      switch text.lowercased() {
      case "true", "1", "t", "yes", "on": true
      case "false", "0", "f", "no", "off": false
      default: nil
      }
    }
  }
}

extension Setting where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  static func choice(_ name: String, default fallback: Value) -> Setting {
    read(name, default: fallback, as: fallback.rawValue, want: wanted(Value.self)) {
      Value(rawValue: $0)
    }
  }
}

extension Setting where Value: FixedWidthInteger {
  static func number(
    _ name: String, default fallback: Value, in range: ClosedRange<Value>
  ) -> Setting {
    read(
      name, default: fallback, as: String(fallback),
      want: "a number from \(range.lowerBound) to \(range.upperBound)"
    ) { text in
      Value(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
}

extension Setting where Value == Int64 {
  static func byteCount(
    _ name: String, default fallback: Int64, in range: ClosedRange<Int64>
  ) -> Setting {
    read(
      name, default: fallback, as: writtenBytes(fallback),
      want:
        "a number of bytes such as 1048576, 512MiB or 16GiB, from \(range.lowerBound) to \(range.upperBound)"
    ) { text in
      readByteCount(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
}

extension Setting where Value == Duration {
  static func duration(
    _ name: String, default fallback: Duration, in range: ClosedRange<Duration>
  ) -> Setting {
    read(
      name, default: fallback, as: fallback.short,
      want:
        "a time such as 500ms, 30s, 5m, 1h or 7d, from \(range.lowerBound.short) to \(range.upperBound.short)"
    ) { text in
      Duration(setting: text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
}

extension Setting where Value == String {
  /// Any text, or what `read` makes of it.
  static func text(
    _ name: String, default fallback: String, want: String = "a text",
    _ read: @escaping @Sendable (String) -> String? = { $0 }
  ) -> Setting {
    self.read(name, default: fallback, as: fallback, want: want, read)
  }
}

extension Setting where Value == String? {
  static func optional(_ name: String) -> Setting {
    optional(name, want: "a text") { $0 }
  }

  static func file(_ name: String) -> Setting {
    optional(name, want: "a file that can be read") { isReadable($0) ? $0 : nil }
  }
}

extension Setting {
  /// Nothing, unless it is set.
  static func optional<Wrapped>(
    _ name: String, want: String, _ read: @escaping @Sendable (String) -> Wrapped?
  ) -> Setting where Value == Wrapped? {
    // `nil` means refused here, not a value that is `nil`.
    self.read(name, default: nil, as: "", want: want) { text in read(text).map { .some($0) } }
  }

  static func optionalChoice<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ name: String, _: Choice.Type
  ) -> Setting where Value == Choice?, Choice.RawValue == String {
    optional(name, want: wanted(Choice.self)) { Choice(rawValue: $0) }
  }
}

private func wanted<Choice: RawRepresentable & CaseIterable>(_: Choice.Type) -> String
where Choice.RawValue == String {
  "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ")
}
