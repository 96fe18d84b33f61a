/// A setting's name and value, as it may be shown.
package struct SettingInForce: Sendable, Equatable {
  package let name: String
  package let value: String
  package let isDefault: Bool
}

extension SettingsReader {
  /// All settings that bloblo knows, secrets redacted.
  var inForce: [SettingInForce] {
    UnknownSettings.known.sorted().map { name in
      if let text = text(name) {
        let isSecret = ["SECRET", "TOKEN", "PASSWORD", "AUTHORIZATION"].contains {
          name.contains($0)
        }
        return SettingInForce(
          name: name, value: isSecret ? "<redacted>" : withoutUser(text), isDefault: false)
      }
      return SettingInForce(name: name, value: defaults[name] ?? "", isDefault: true)
    }
  }
}
