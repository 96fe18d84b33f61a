/// Why bytes are not a document that this room reads.
package struct XMLError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Sendable {
    /// Not well-formed.
    case malformed
    /// It declares a document type, and so could declare entities that grow without bound.
    case documentType
    /// Elements within elements beyond the bound.
    case depth
    /// More bytes than the parser counts.
    case size
  }

  package let kind: Kind
  /// Counted from 1.
  package let line: Int
  /// Expat's words, or ours; nothing of the document.
  package let message: String

  package var description: String { "XML, line \(line): \(message)" }
}
