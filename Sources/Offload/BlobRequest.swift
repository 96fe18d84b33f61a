package import Registry

/// A client's request for one blob: what of it a decision is made of.
package struct BlobRequest: Sendable {
  package enum Method: Sendable {
    case get, head
  }

  /// Which bytes are asked for. Source: RFC 9110 §14.2.
  package enum Range: Sendable {
    case whole
    case single
    /// Several ranges, or something that is no byte range: S3 answers these otherwise than a registry.
    case other
  }

  package var method: Method
  package var path: BlobPath
  package var range: Range
  /// Whether the answer hangs on a validator (`If-None-Match` and its kin): the registry's validators are
  /// not S3's, so only the registry can judge.
  package var isConditional: Bool
  /// The validator of `If-Range`. Source: RFC 9110 §13.1.5.
  package var ifRange: [UInt8]?
  package var client: ClientFields

  package init(
    _ method: Method, _ path: BlobPath, range: Range = .whole, isConditional: Bool = false,
    ifRange: [UInt8]? = nil, client: ClientFields = ClientFields([])
  ) {
    self.method = method
    self.path = path
    self.range = range
    self.isConditional = isConditional
    self.ifRange = ifRange
    self.client = client
  }
}

extension BlobRequest.Range {
  /// Reads the value of a `Range` field.
  package init(field value: Span<UInt8>) {
    let isBytes =
      value.count > 6
      && "bytes=".utf8.enumerated().allSatisfy { value[$0.offset] | 0x20 == $0.element | 0x20 }
    var hasComma = false
    for i in value.indices where value[i] == UInt8(ascii: ",") { hasComma = true }
    self = isBytes && !hasComma ? .single : .other
  }
}
