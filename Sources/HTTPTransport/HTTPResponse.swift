/// Status and fields of a response.
package struct HTTPResponseHead: Sendable {
  package var status: Int
  package var fields: [HTTPField]

  package init(status: Int, fields: [HTTPField]) {
    self.status = status
    self.fields = fields
  }

  /// `Content-Length`, when it is there and a plain decimal number.
  package var contentLength: Int64? {
    fields.first(named: "content-length").flatMap { Int64(decimal: $0.text) }
  }

  /// Whether the body is a page for people, as a login gives where bytes were asked for.
  package var isPage: Bool {
    guard let type = fields.first(named: "content-type")?.text.lowercased() else { return false }
    return type.hasPrefix("text/html") || type.hasPrefix("application/xhtml")
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

extension Int64 {
  /// Reads digits and nothing else: a sign is a number's to Swift, and not to HTTP.
  package init?(decimal text: some StringProtocol) {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    self.init(text)
  }
}
