import Settings

/// The declarations of the settings, as the documents show them.
struct RenderedSettings {
  /// Where a made part begins and ends in a document.
  static let (begin, end) = ("made by `make settings`", "end of what `make settings` makes")

  /// The tables of docs/settings.md.
  static var markdown: String {
    Declared.sections.map { title, settings in
      "### \(title)\n\n| name | default | |\n|---|---|---|\n"
        + settings.map { setting in
          let mark = setting.scope == .location ? " ⁂" : ""
          let words = code(in: setting.help)
          return "| `\(setting.name)`\(mark) | \(defaultCell(of: setting)) | \(words) |\n"
        }.joined()
    }.joined(separator: "\n")
  }

  private static func defaultCell(of setting: SettingFacts) -> String {
    if let words = setting.defaultInWords { return code(in: words) }
    return setting.defaultText.isEmpty ? "none" : "`\(setting.defaultText)`"
  }

  /// Names, URLs and placeholders as code.
  private static func code(in text: String) -> String {
    text.split(separator: " ").map { word in
      let bare = word.prefix {
        $0.isLetter || $0.isNumber || "_{}:/.-".contains($0)
      }
      let name = bare.reversed().drop { ".:".contains($0) }.reversed()
      let isCode =
        name.starts(with: "BLOBLO_") || name.starts(with: "AWS_")
        || name.starts(with: "http://")
          && name.count > 7
        || name.starts(with: "{")
      return isCode ? "`\(String(name))`\(word.dropFirst(name.count))" : String(word)
    }.joined(separator: " ")
  }

  /// The entries of the manual.
  static var manual: String {
    Declared.sections.map { title, settings in
      ".Ss \(title)\n.Bl -tag -width Ds\n"
        + settings.map { setting in
          let standard = setting.defaultInWords ?? setting.defaultText
          let sentences = (setting.help + " Default: \(standard.isEmpty ? "none" : standard).")
            .replacing(". ", with: ".\n").split(separator: "\n")
          let lines = sentences.flatMap { wrapped(String($0), at: 78) }
          return ".It Ev \(setting.name)\n" + lines.map { escaped($0) + "\n" }.joined()
        }.joined() + ".El\n"
    }.joined()
  }

  private static func escaped(_ line: String) -> String {
    let text = line.replacing("\\", with: "\\e")
    return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
  }

  /// The entries of the file that the package installs.
  static var environmentFile: String {
    Declared.sections.map { title, settings in
      "## \(title)\n\n"
        + settings.map { setting in
          wrapped(setting.help, at: 98).map { "# \($0)\n" }.joined()
            + "#\(setting.name)=\(setting.example ?? setting.defaultText)\n"
        }.joined(separator: "\n")
    }.joined(separator: "\n")
  }

  private static func wrapped(_ text: String, at width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.utf8.count + word.utf8.count < width {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
