/// One range of bytes that a client asks for, as RFC 9110 §14.1.2 has it.
package struct ByteRange: Sendable, Equatable {
  /// nil for the last bytes.
  package let first: Int64?
  /// Inclusive; without a first one, how many bytes. nil for all that follow.
  package let last: Int64?

  package init(first: Int64?, last: Int64?) {
    self.first = first
    self.last = last
  }

  /// Reads the value of a `Range` field.
  ///
  /// - Returns: nil when it is no single range of bytes.
  package init?(field value: Span<UInt8>) {
    guard let bounds = bounds(field: value) else { return nil }
    self.init(first: bounds.first, last: bounds.last)
  }

  /// Whether it is `bytes=0-`, which is all of any blob.
  package var isWhole: Bool { first == 0 && last == nil }

  /// The bytes of a blob of `size`.
  ///
  /// - Returns: nil when there are none: the range can't be satisfied.
  package func resolved(of size: Int64) -> Range<Int64>? {
    switch (first, last) {
    case (let first?, let last): first < size ? first..<min(last ?? .max - 1, size - 1) + 1 : nil
    case (nil, let count?): count > 0 && size > 0 ? max(0, size - count)..<size : nil
    case (nil, nil): nil
    }
  }
}
