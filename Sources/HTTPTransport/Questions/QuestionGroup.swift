internal import Glibc

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

extension Span<UInt8> {
  func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return unsafe withUnsafeBytes { ours in
      unsafe other.withUnsafeBytes { theirs in
        guard let ours = ours.baseAddress, let theirs = theirs.baseAddress else { return true }
        return unsafe memcmp(ours, theirs, other.count) == 0
      }
    }
  }
}
