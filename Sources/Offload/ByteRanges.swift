/// Several ranges of bytes that a client asks for in one request, as zstd:chunked pulls do.
///
/// Source: RFC 9110 §14.2, §15.3.7.2.
package struct ByteRanges: Sendable {
  /// Requests with more ranges pass: they cost more than they save.
  package static let limit = 64

  private let ranges: [ByteRange]

  /// Reads the value of a `Range` field.
  ///
  /// - Returns: nil when it is no list of two to 64 ranges of bytes.
  package init?(field value: Span<UInt8>) {
    let text = String(decoding: value.indices.map { value[$0] }, as: UTF8.self)
    guard text.utf8.count < 8192, text.prefix(6).lowercased() == "bytes=" else { return nil }
    var ranges: [ByteRange] = []
    for part in text.dropFirst(6).split(separator: ",") {
      let trimmed = part.drop { $0 == " " || $0 == "\t" }
        .reversed().drop { $0 == " " || $0 == "\t" }.reversed()
      // A list may have empty elements.
      guard !trimmed.isEmpty else { continue }
      guard let range = ByteRange(field: Array(("bytes=" + String(trimmed)).utf8).span) else {
        return nil
      }
      ranges.append(range)
    }
    guard (2...Self.limit).contains(ranges.count) else { return nil }
    self.ranges = ranges
  }

  /// The bytes of a blob of `size`, in the order in which they were asked for, without those beyond its end.
  ///
  /// - Returns: nil when there are none, or more than twice the blob.
  package func resolved(of size: Int64) -> [Range<Int64>]? {
    let parts = ranges.compactMap { $0.resolved(of: size) }
    let total = parts.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
    return parts.isEmpty || total > 2 * size ? nil : parts
  }
}

/// Parts of an object that one request to the bucket reads.
package struct JoinedRead: Sendable, Equatable {
  /// Between two parts, bytes that are read for nothing: less than another request costs.
  package static let gap: Int64 = 64 << 10
  /// Bytes that are kept in memory at a time.
  package static let limit: Int64 = 4 << 20

  /// What is read.
  package private(set) var span: Range<Int64>
  package private(set) var parts: [Range<Int64>]

  /// What is read at a time: the span, or of a large part one piece after another.
  package var pieces: [Range<Int64>] {
    stride(from: span.lowerBound, to: span.upperBound, by: Int64.Stride(Self.limit)).map {
      $0..<min($0 + Self.limit, span.upperBound)
    }
  }

  /// Joins parts that follow one another closely; a part that is larger than the limit stands alone.
  package static func reads(of parts: [Range<Int64>]) -> [JoinedRead] {
    var reads: [JoinedRead] = []
    for part in parts {
      if let last = reads.last, let joined = last.joining(part) {
        reads[reads.count - 1] = joined
      } else {
        reads.append(JoinedRead(span: part, parts: [part]))
      }
    }
    return reads
  }

  private func joining(_ part: Range<Int64>) -> JoinedRead? {
    let end = max(span.upperBound, part.upperBound)
    guard part.lowerBound >= span.lowerBound, part.lowerBound <= span.upperBound + Self.gap,
      end - span.lowerBound <= Self.limit
    else { return nil }
    return JoinedRead(span: span.lowerBound..<end, parts: parts + [part])
  }
}
