/// An element of a document, all that is within it included.
///
///     let error = try XMLElement(parsing: body)
///     let code = error.text(of: "Code")
///
/// Attributes, comments and processing instructions are not kept.
package struct XMLElement: Hashable, Sendable {
  /// Without namespace prefix: S3-compatible servers differ in theirs, and in whether there is one.
  package let name: String
  /// Character data directly within the element, references resolved, white space kept.
  package let text: String
  package let children: [XMLElement]

  package init(_ name: String, text: String = "", children: [XMLElement] = []) {
    self.name = name
    self.text = text
    self.children = children
  }

  /// The document's root.
  ///
  /// - Parameters:
  ///   - document: bounded by the caller; its encoding is UTF-8 unless it says another that Expat
  ///     knows.
  ///   - maximumDepth: elements that may be open at a time, 1….
  package init(parsing document: [UInt8], maximumDepth: Int = 32) throws(XMLError) {
    var parser = Parser(maximumDepth: maximumDepth)
    self = try parser.parse(document.span)
  }

  /// The first child of this name.
  package func first(_ name: String) -> XMLElement? {
    children.first { $0.name == name }
  }

  /// The children of this name, in document order.
  package func all(_ name: String) -> [XMLElement] {
    children.filter { $0.name == name }
  }

  /// The text of the first child of this name; nil without such a child.
  package func text(of name: String) -> String? {
    first(name)?.text
  }
}
