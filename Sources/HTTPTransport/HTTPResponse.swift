/// Status and fields of a response.
package struct HTTPResponseHead: Sendable {
  package var status: Int
  package var fields: [HTTPField]
  /// Whether it came in another version than HTTP/1.1.
  var isOldVersion = false

  package init(status: Int, fields: [HTTPField]) {
    self.status = status
    self.fields = fields
  }

  /// `Content-Length`, when it is there and a plain decimal number.
  package var contentLength: Int64? {
    fields.first(named: "content-length").flatMap { Int64(decimal: $0.value[...]) }
  }

  /// Whether the body is a page for people, as a login gives where bytes were asked for.
  package var isHTML: Bool {
    guard let type = fields.first(named: "content-type")?.value else { return false }
    return type.span.beginsIgnoringCase("text/html")
      || type.span.beginsIgnoringCase("application/xhtml")
  }
}

extension Int64 {
  /// Reads decimal digits and nothing else: no sign, no space.
  package init?(decimal digits: ArraySlice<UInt8>) {
    guard let number = digits.span.decimal else { return nil }
    self = number
  }
}

/// A whole response, its body kept in memory.
package struct HTTPResponse: Sendable {
  package var head: HTTPResponseHead
  package var body: [UInt8]

  package init(head: HTTPResponseHead, body: [UInt8]) {
    self.head = head
    self.body = body
  }
}
