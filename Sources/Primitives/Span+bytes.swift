internal import Glibc

/// Bytes that are found and compared many at a time, as the C library does it.
extension Span<UInt8> {
  package func firstIndex(of byte: UInt8) -> Int? {
    unsafe withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress,
        let found = unsafe memchr(start, Int32(byte), bytes.count)
      else { return nil }
      return unsafe UnsafeRawPointer(found) - start
    }
  }

  package func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return unsafe other.withUnsafeBytes { unsafe holds($0, at: 0) }
  }

  package func isEqual(to text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && holds(text, at: 0)
  }

  package func begins(with text: StaticString) -> Bool { holds(text, at: 0) }

  /// Whether these bytes are there, from the index `start` on.
  package func holds(_ text: StaticString, at start: Int) -> Bool {
    unsafe holds(
      UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), at: start)
  }

  @unsafe private func holds(_ other: UnsafeRawBufferPointer, at start: Int) -> Bool {
    guard start >= 0, count - start >= other.count else { return false }
    return unsafe withUnsafeBytes { bytes in
      guard let ours = bytes.baseAddress, let theirs = other.baseAddress else { return true }
      return unsafe memcmp(ours + start, theirs, other.count) == 0
    }
  }
}
