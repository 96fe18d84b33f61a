import Testing

/// What a call says of its arguments.
struct LabelTests {
  @Test func `no function has three unlabelled parameters`() throws {
    let all = try ArchitectureTests.files().flatMap { file in
      Declaration.all(in: file.text).map { (file.name, $0) }
    }
    #expect(all.count > 1_000)
    for (name, declaration) in all {
      #expect(declaration.unlabelled < 3, "\(name): \(declaration.name)")
    }
  }

  @Test func `the counter sees what it should`() {
    let text = """
      func one(_ a: Int, _ b: [String: Int] = ["x,": 1], _ c: (Int, _: Int) -> Void) {}
      func two<T>(
        _ a: T, b: Int, // _ c: Int
        _ d: Result<Int, any Error>
      ) {}
      init(_ a: @escaping () -> Void, _ b: String = "(", _ c: Int) {}
      """
    let all = Declaration.all(in: text)
    #expect(all.map(\.name) == ["one", "two", "init"])
    #expect(all.map(\.unlabelled) == [3, 2, 3])
  }
}

/// A function or an initialiser, and how many of its parameters have no label.
private struct Declaration {
  let name: String
  private(set) var unlabelled = 0

  static func all(in text: String) -> [Declaration] {
    var declarations: [Declaration] = []
    let bytes = Array(text.utf8)
    for start in bytes.indices {
      guard bytes[start] == UInt8(ascii: "f") || bytes[start] == UInt8(ascii: "i"),
        start == 0 || !bytes[start - 1].isWordByte
      else { continue }
      let rest = bytes[start...]
      let isFunction = rest.starts(with: "func ".utf8)
      guard isFunction || rest.starts(with: "init".utf8), start == 0 || bytes[start - 1] != dot
      else { continue }
      // The name, a mark of failing, and generic parameters stand before the list.
      guard let open = rest.firstIndex(of: UInt8(ascii: "(")) else { continue }
      let head = rest[start..<open]
      guard isFunction || head.allSatisfy({ $0.isWordByte || mayStandInHead.contains($0) }),
        isFunction || head.dropFirst(4).first.map({ !$0.isWordByte }) ?? true
      else { continue }
      let name = head.dropFirst(isFunction ? 5 : 0).prefix { $0.isWordByte }
      declarations.append(
        Declaration(name: String(decoding: name, as: UTF8.self), list: bytes[open...]))
    }
    return declarations
  }

  private init(name: String, list: ArraySlice<UInt8>) {
    self.name = name
    var (depth, isAtStart, isInString, isInComment) = (0, false, false, false)
    var last: UInt8 = 0
    for (index, byte) in zip(list.indices, list) {
      defer { last = byte }
      if isInComment {
        if byte == newline { isInComment = false }
        continue
      }
      if isInString {
        if byte == quote, last != backslash { isInString = false }
        continue
      }
      if byte == quote { isInString = true }
      if byte == slash, last == slash { isInComment = true }
      if "([{".utf8.contains(byte) { depth += 1 }
      if ")]}".utf8.contains(byte) { depth -= 1 }
      if depth == 0 { return }
      if depth == 1, byte == comma || byte == UInt8(ascii: "(") {
        isAtStart = true
      } else if isAtStart, byte != space, byte != newline, byte != slash {
        isAtStart = false
        if list[index...].starts(with: "_ ".utf8) { unlabelled += 1 }
      }
    }
  }
}

private let (dot, comma, quote) = (UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: "\""))
private let (slash, backslash) = (UInt8(ascii: "/"), UInt8(ascii: "\\"))
private let (space, newline) = (UInt8(ascii: " "), UInt8(ascii: "\n"))
private let mayStandInHead = Array("?!<>:, &.".utf8)

extension UInt8 {
  fileprivate var isWordByte: Bool {
    self == UInt8(ascii: "_") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= self
      || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= self
      || UInt8(ascii: "0")...UInt8(ascii: "9") ~= self
  }
}
