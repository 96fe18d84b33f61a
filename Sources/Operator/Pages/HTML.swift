/// A piece of HTML. Text that is put into it is escaped; another piece of HTML is not.
struct HTML: ExpressibleByStringInterpolation, Sendable {
  private(set) var text: String

  init(stringLiteral text: String) { self.text = text }

  init(stringInterpolation interpolation: Interpolation) { text = interpolation.text }

  struct Interpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity + interpolationCount * 16)
    }

    mutating func appendLiteral(_ literal: String) { text += literal }

    mutating func appendInterpolation(_ plain: some StringProtocol) { text += escaped(plain) }
    mutating func appendInterpolation(_ number: some FixedWidthInteger) { text += String(number) }
    mutating func appendInterpolation(_ html: HTML) { text += html.text }
    mutating func appendInterpolation(_ all: [HTML]) { for html in all { text += html.text } }
  }
}

/// Fit for text and for attributes in double quotes. Source: HTML Standard, §13.3 "Escaping a string".
private func escaped(_ plain: some StringProtocol) -> String {
  var escaped = ""
  for scalar in plain.unicodeScalars {
    switch scalar {
    case "&": escaped += "&amp;"
    case "<": escaped += "&lt;"
    case ">": escaped += "&gt;"
    case "\"": escaped += "&quot;"
    case "'": escaped += "&#39;"
    // An HTML document may not hold these.
    case "\0"..."\u{8}", "\u{B}"..."\u{1F}", "\u{7F}": escaped += "\u{FFFD}"
    default: escaped.unicodeScalars.append(scalar)
    }
  }
  return escaped
}
