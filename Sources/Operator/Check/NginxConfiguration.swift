internal import Glibc

/// A configuration of nginx as `nginx -T` prints it, with its includes in their places.
///
/// Source: <https://nginx.org/en/docs/beginners_guide.html#conf_structure>
struct NginxConfiguration {
  /// A directive, with what stands in its braces if it has some.
  struct Directive {
    let words: [String]
    var inner: [Directive]?

    var name: String { words[0] }

    /// Those directly within it.
    func all(_ name: String) -> [Directive] { (inner ?? []).filter { $0.name == name } }

    /// Those within it, however deep.
    func deep(_ name: String) -> [Directive] {
      (inner ?? []).flatMap { ($0.name == name ? [$0] : []) + $0.deep(name) }
    }
  }

  /// Of the first file.
  let directives: [Directive]

  /// - Returns: `nil` for a text that is not the output of `nginx -T`.
  init?(dump text: String) {
    var files: [(path: String, text: String)] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix(Self.mark), line.hasSuffix(":") {
        files.append((String(line.dropFirst(Self.mark.count).dropLast()), ""))
      } else if !files.isEmpty {
        files[files.count - 1].text += line + "\n"
      }
    }
    guard let first = files.first else { return nil }
    let folder = first.path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/")
    let parsed = files.map { file -> (path: String, directives: [Directive]) in
      var parser = Parser(file.text)
      return (file.path, parser.block())
    }
    func whole(_ directives: [Directive], depth: Int) -> [Directive] {
      directives.flatMap { directive -> [Directive] in
        if directive.name == "include", directive.words.count == 2, depth < 20 {
          let name = directive.words[1]
          let pattern = name.hasPrefix("/") ? name : "\(folder)/\(name)"
          return parsed.filter { unsafe fnmatch(pattern, $0.path, 0) == 0 }
            .flatMap { whole($0.directives, depth: depth + 1) }
        }
        var directive = directive
        directive.inner = directive.inner.map { whole($0, depth: depth + 1) }
        return [directive]
      }
    }
    self.directives = whole(parsed[0].directives, depth: 0)
  }

  private static let mark = "# configuration file "

  private struct Parser {
    private let text: [UInt8]
    private var at = 0

    init(_ text: String) { self.text = Array(text.utf8) }

    /// Reads to the closing brace, or to the end.
    mutating func block() -> [Directive] {
      var directives: [Directive] = []
      var words: [String] = []
      while let token = next() {
        switch token {
        case .word(let word): words.append(word)
        case .end, .open:
          let inner = token == .open ? block() : nil
          if !words.isEmpty { directives.append(Directive(words: words, inner: inner)) }
          words = []
        case .close: return directives
        }
      }
      return directives
    }

    private enum Token: Equatable {
      case word(String)
      case open, close, end
    }

    private mutating func next() -> Token? {
      while at < text.count {
        let byte = text[at]
        at += 1
        switch byte {
        case 0x20, 0x09, 0x0A, 0x0D: continue
        case UInt8(ascii: "#"): while at < text.count, text[at] != 0x0A { at += 1 }
        case UInt8(ascii: ";"): return .end
        case UInt8(ascii: "{"): return .open
        case UInt8(ascii: "}"): return .close
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .word(word(until: byte))
        default:
          at -= 1
          return .word(word(until: nil))
        }
      }
      return nil
    }

    /// - Parameter quote: the quote that ends the word; `nil` for a word without quotes.
    private mutating func word(until quote: UInt8?) -> String {
      var word: [UInt8] = []
      while at < text.count {
        let byte = text[at]
        if let quote, byte == quote {
          at += 1
          break
        }
        if quote == nil, [0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ";")].contains(byte) { break }
        // `${name}` is part of a word.
        if quote == nil, byte == UInt8(ascii: "{"), word.last != UInt8(ascii: "$") { break }
        if byte == UInt8(ascii: "\\"), at + 1 < text.count {
          word.append(byte)
          at += 1
        }
        word.append(text[at])
        at += 1
      }
      return String(decoding: word, as: UTF8.self)
    }
  }
}
