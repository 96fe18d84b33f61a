/// A setting's name and value, as it may be shown.
package struct SettingInForce: Sendable, Equatable {
  package let name: String
  package let value: String
  package let isDefault: Bool
}

extension SettingsReader {
  /// All settings, secrets redacted.
  var inForce: [SettingInForce] {
    Declared.all.sorted { $0.name < $1.name }.map { setting in
      if let text = environment[setting.name], !text.isEmpty {
        return SettingInForce(
          name: setting.name, value: setting.isSecret ? "<redacted>" : withoutUser(text),
          isDefault: false)
      }
      return SettingInForce(
        name: setting.name, value: defaults[setting.name] ?? setting.defaultText, isDefault: true)
    }
  }
}
