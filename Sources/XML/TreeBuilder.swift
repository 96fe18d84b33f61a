/// What Expat's handlers build: a stack of open elements, and at the end a root.
final class TreeBuilder {
  private struct Open {
    var name: String
    var text: [UInt8] = []
    var children: [XMLElement] = []
  }

  private let maximumDepth: Int
  private var stack: [Open] = []
  private(set) var root: XMLElement?

  init(maximumDepth: Int) {
    self.maximumDepth = maximumDepth
  }

  /// - Returns: false when that is too deep.
  func open(_ qualifiedName: String) -> Bool {
    guard stack.count < maximumDepth else { return false }
    stack.append(Open(name: Self.localName(qualifiedName)))
    return true
  }

  func append(_ text: UnsafeBufferPointer<UInt8>) {
    guard !stack.isEmpty else { return }
    unsafe stack[stack.count - 1].text.append(contentsOf: text)
  }

  func close() {
    guard let open = stack.popLast() else { return }
    let text = String(decoding: open.text, as: UTF8.self)
    let element = XMLElement(open.name, text: text, children: open.children)
    if stack.isEmpty {
      root = element
    } else {
      stack[stack.count - 1].children.append(element)
    }
  }

  private static func localName(_ qualifiedName: String) -> String {
    guard let colon = qualifiedName.utf8.lastIndex(of: UInt8(ascii: ":")) else {
      return qualifiedName
    }
    return String(qualifiedName[qualifiedName.utf8.index(after: colon)...])
  }
}
