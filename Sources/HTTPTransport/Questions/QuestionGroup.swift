internal import Primitives

/// Questions that share one turn where there is a line: those about one repository.
package struct QuestionGroup: Hashable, Sendable {
  private let name: [UInt8]

  package init(_ name: [UInt8]) { self.name = name }

  package static func == (a: QuestionGroup, b: QuestionGroup) -> Bool {
    a.name.span.isEqual(to: b.name.span)
  }

  /// All bytes at once: an array of bytes hashes one by one.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(name.count)
    unsafe name.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}
