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
    guard let type = fields.first(named: "content-type")?.text.lowercased() else { return false }
    return type.hasPrefix("text/html") || type.hasPrefix("application/xhtml")
  }
}

extension Int64 {
  /// Reads decimal digits and nothing else: no sign, no space.
  package init?(decimal digits: ArraySlice<UInt8>) {
    guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    self.init(String(decoding: digits, as: UTF8.self))
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
