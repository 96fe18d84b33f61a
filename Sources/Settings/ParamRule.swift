/// Which settings a FastCGI param may set.
///
/// Any local user can connect to a TCP listener and set params. Params that choose the registry or the bucket would
/// let that user get signed URLs by the word of another registry; params that say who the user is (`BLOBLO_FIELD_…`)
/// would let that user be anyone.
package struct ParamRule: Sendable, Equatable {
  /// The settings that choose the registry that proves, and the objects that URLs are signed for.
  static let guarded = Set(Declared.all.filter(\.isGuarded).map(\.name))

  /// The values that a param may have.
  package enum Values: Sendable, Equatable {
    case any
    case only(Set<String>)
  }

  /// What `BLOBLO_PARAMS` names; `nil` when it is not set.
  package var named: [String: Values]?
  /// Whether any local user can connect.
  package var isTCP = false

  package init(
    named: [String: Values]? = nil,
    isTCP: Bool = false
  ) {
    self.named = named
    self.isTCP = isTCP
  }

  /// Begins the names of params that are fields for the registry.
  package static let fieldPrefix = "BLOBLO_FIELD_"

  /// Fields that every request may bring as `HTTP_…` anyway.
  private static let plainFields: Set<String> = [
    "AUTHORIZATION", "COOKIE", "USER_AGENT", "X_FORWARDED_FOR", "X_FORWARDED_HOST",
    "X_FORWARDED_PORT", "X_FORWARDED_PROTO", "X_REAL_IP",
  ]

  private static func isGuarded(_ name: String) -> Bool {
    if guarded.contains(name) { return true }
    return isField(name)
      && !plainFields.contains(String(name.dropFirst(fieldPrefix.utf8.count)))
  }

  static func isField(_ name: String) -> Bool { name.hasPrefix(fieldPrefix) }

  /// Whether some params about the user may not be set. On a Unix socket all may, unless `BLOBLO_PARAMS` is set.
  package var isForFields: Bool { isTCP || named != nil }

  /// - Returns: what is wrong with such a param; `nil` when it may be set.
  package func objection(to name: String, value: String) -> String? {
    guard Self.isGuarded(name) else { return nil }
    guard let named else {
      guard isTCP else { return nil }
      return
        "\(name): a param may not set it on a TCP listener: listen on a Unix socket, or name it "
        + "and its values in BLOBLO_PARAMS"
    }
    switch named[name] {
    case nil: return "\(name): BLOBLO_PARAMS does not name it, so no param may set it"
    case .any?: return nil
    case .only(let values)?:
      return values.contains(value)
        ? nil : "\(name): BLOBLO_PARAMS does not name the value \"\(withoutUser(value))\""
    }
  }
}

extension ParamRule {
  /// Reads `NAME` and `NAME=value`, separated by commas or blanks; a name may stand there once for each value.
  ///
  /// - Returns: `nil` for a list that names nothing, no setting, or an empty value: `NAME=` must not allow every
  ///   value, as `NAME` does.
  static func named(_ text: String) -> [String: Values]? {
    var named: [String: Values] = [:]
    for entry in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
      let name = String(entry.prefix { $0 != "=" })
      guard LocationSettings.names.contains(name) || isField(name) else { return nil }
      guard name.count < entry.count else {
        named[name] = .any
        continue
      }
      let value = String(entry.dropFirst(name.count + 1))
      guard !value.isEmpty else { return nil }
      switch named[name] {
      case .any?: continue
      case .only(let values)?: named[name] = .only(values.union([value]))
      case nil: named[name] = .only([value])
      }
    }
    return named.isEmpty ? nil : named
  }
}
