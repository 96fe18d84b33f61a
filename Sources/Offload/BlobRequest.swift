package import Registry

/// A client's request for one blob: what of it a decision is made of.
package struct BlobRequest: Sendable {
  package enum Method: Hashable, Sendable {
    case get, head
  }

  /// Which bytes are asked for. Source: RFC 9110 §14.2.
  package enum Range: Sendable {
    case whole
    case single
    /// Several ranges, or something that is no byte range: S3 answers these otherwise than a registry.
    case other
  }

  package let method: Method
  package let question: Question
  package let range: Range
  /// Whether the answer hangs on a validator (`If-None-Match` and its kin): the registry's validators are
  /// not S3's, so only the registry can judge.
  package let isConditional: Bool
  /// The validator of `If-Range`. Source: RFC 9110 §13.1.5.
  package let ifRange: [UInt8]?

  package init(
    _ method: Method, _ question: Question, range: Range = .whole, isConditional: Bool = false,
    ifRange: [UInt8]? = nil
  ) {
    self.method = method
    self.question = question
    self.range = range
    self.isConditional = isConditional
    self.ifRange = ifRange
  }

  package var path: BlobPath { question.path }
}

extension BlobRequest.Range {
  /// Reads the value of a `Range` field: one range of bytes, `0-99`, `100-` or `-100`, or something else.
  package init(field value: Span<UInt8>) {
    let unit: StaticString = "bytes="
    self = .other
    guard value.count > unit.utf8CodeUnitCount else { return }
    // Range units are compared without regard to case.
    for i in 0..<unit.utf8CodeUnitCount
    where unsafe value[i] | 0x20 != unit.utf8Start[i] | 0x20 { return }
    var digits = 0
    var hyphens = 0
    for i in unit.utf8CodeUnitCount..<value.count {
      switch value[i] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
      case UInt8(ascii: "-"): hyphens += 1
      default: return
      }
    }
    if digits > 0, hyphens == 1 { self = .single }
  }
}
