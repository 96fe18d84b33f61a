package import Registry

/// A client's request for one blob: all that the decision needs of it.
package struct BlobRequest: Sendable {
  package enum Method: Hashable, Sendable {
    case get, head
  }

  /// Which bytes are asked for. Source: RFC 9110 §14.2.
  package enum Range: Sendable {
    case whole
    case single
    /// Several ranges: S3 answers these with the whole object.
    case several
    /// Not a byte range, or too many ranges.
    case other
  }

  package let method: Method
  package let query: AccessQuery
  package let range: Range
  /// Whether the request has a condition (`If-None-Match` and the like). Only the registry can judge it, since S3 has
  /// other validators.
  package let isConditional: Bool
  /// The validator of `If-Range`. Source: RFC 9110 §13.1.5.
  package let ifRange: [UInt8]?
  /// The client's address, hashed; `nil` where the web server names none. A client that fetches a new
  /// token for each try is known by it.
  package let client: UInt64?
  /// Which bytes are asked for, hashed; 0 for all.
  package let bytes: UInt64

  package init(
    _ method: Method, _ query: AccessQuery, range: Range = .whole, isConditional: Bool = false,
    ifRange: [UInt8]? = nil, client: UInt64? = nil, bytes: UInt64 = 0
  ) {
    self.method = method
    self.query = query
    self.range = range
    self.isConditional = isConditional
    self.ifRange = ifRange
    self.client = client
    self.bytes = bytes
  }

  package var path: BlobPath { query.path }
}

extension BlobRequest.Range {
  /// Reads the value of a `Range` field.
  package init(field value: Span<UInt8>) {
    self =
      if bounds(field: value) != nil { .single } else if ByteRanges(field: value) != nil {
        .several
      } else { .other }
  }

  /// How many bytes of `size` the value of a `Range` field asks for; all, if it is no single range.
  package static func count(field value: Span<UInt8>, of size: Int64) -> Int64 {
    switch bounds(field: value) {
    case (let first?, let last)?: max(0, min(last ?? .max, size - 1) - first + 1)
    case (nil, let suffix?)?: min(suffix, size)
    default: size
    }
  }
}

/// The numbers of a single byte range, one of which may be missing; `nil` for anything else.
func bounds(field value: Span<UInt8>) -> (first: Int64?, last: Int64?)? {
  let unit: StaticString = "bytes="
  let digitsLimit = 18
  guard value.count > unit.utf8CodeUnitCount, value[5] == UInt8(ascii: "=") else { return nil }
  for i in 0..<unit.utf8CodeUnitCount {
    // Range units are compared without regard to case.
    guard unsafe value[i] | 0x20 == unit.utf8Start[i] | 0x20 else { return nil }
  }
  var numbers: (first: Int64?, last: Int64?) = (nil, nil)
  var isAfterHyphen = false
  var digits = 0
  for i in unit.utf8CodeUnitCount..<value.count {
    switch value[i] {
    case UInt8(ascii: "-") where !isAfterHyphen:
      isAfterHyphen = true
      digits = 0
    case let digit where (0x30...0x39).contains(digit) && digits < digitsLimit:
      digits += 1
      let number = (isAfterHyphen ? numbers.last : numbers.first) ?? 0
      let next = number * 10 + Int64(digit - 0x30)
      if isAfterHyphen { numbers.last = next } else { numbers.first = next }
    default: return nil
    }
  }
  switch numbers {
  case (nil, nil): return nil
  case (let first?, let last?) where first > last: return nil
  default: return isAfterHyphen ? numbers : nil
  }
}
