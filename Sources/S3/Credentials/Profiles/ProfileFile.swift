/// One of AWS's two shared files, as sections of settings.
///
///     [profile build]
///     role_arn = arn:aws:iam::123456789012:role/build
///     s3 =
///       addressing_style = path
///
/// What is indented deeper than the setting above it belongs to that, and is not needed here. Names of
/// settings are compared in lower case; a section that comes twice is one.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>
struct ProfileFile: Sendable {
  enum Kind: Sendable {
    /// A profile's section is `[profile name]`, or `[default]`.
    case config
    /// A profile's section is `[name]`.
    case credentials
  }

  /// By the profile's name.
  private(set) var profiles: [String: [String: String]] = [:]

  init(_ text: String, _ kind: Kind) {
    var profile: String?
    var isPrefixedDefaultSeen = false
    // Of the setting above, in this section.
    var indent: Int?
    for wholeLine in text.split(whereSeparator: \.isNewline) {
      let line = wholeLine.drop(while: \.isWhitespace)
      guard let first = line.first, first != "#", first != ";" else { continue }
      let ownIndent = wholeLine.count - line.count
      if let indent, ownIndent > indent { continue }
      if first == "[" {
        indent = nil
        guard let end = line.lastIndex(of: "]") else { continue }
        let title = line[line.index(after: line.startIndex)..<end]
        let (name, isPrefixed) = Self.profile(title, kind)
        profile = name
        // `[profile default]` stands before `[default]`.
        if kind == .config, name == "default" {
          if isPrefixed {
            isPrefixedDefaultSeen = true
            profiles["default"] = [:]
          } else if isPrefixedDefaultSeen {
            profile = nil
          }
        }
        if let profile { profiles[profile, default: [:]].merge([:]) { $1 } }
      } else if let equals = line.firstIndex(where: { $0 == "=" || $0 == ":" }) {
        indent = ownIndent
        guard let profile else { continue }
        let name = line[..<equals].trimmed.lowercased()
        profiles[profile, default: [:]][name] = line[line.index(after: equals)...].trimmed
      }
    }
  }

  private static func profile(
    _ title: Substring, _ kind: Kind
  ) -> (name: String?, isPrefixed: Bool) {
    let title = title.trimmed
    guard kind == .config else { return (title, false) }
    if title == "default" { return (title, false) }
    guard title.hasPrefix("profile"), title.dropFirst(7).first?.isWhitespace == true else {
      return (nil, false)
    }
    let name = title.dropFirst(7).trimmed
    for quote in ["\"", "'"] where name.count >= 2 && name.hasPrefix(quote) && name.hasSuffix(quote)
    {
      return (String(name.dropFirst().dropLast()), true)
    }
    return (name, true)
  }
}

extension StringProtocol {
  var trimmed: String {
    var rest = self[...]
    while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
    while rest.last?.isWhitespace == true { rest = rest.dropLast() }
    return String(rest)
  }
}
