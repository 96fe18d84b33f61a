package import HTTPTransport

/// What of a client's request goes upstream with the check and the reading: who asks, by what, from where.
///
/// Never `Range` or `Accept-Encoding`: they would change what is asked. They hold credentials and are
/// never shown.
package struct ClientFields: Sendable, CustomStringConvertible, CustomReflectable {
  package var fields: [HTTPField]
  /// The name by which the client asks the registry, whether it goes upstream or not: the value of its `Host`.
  package let host: [UInt8]?

  package init(_ fields: [HTTPField], host: [UInt8]? = nil) {
    self.fields = fields
    self.host = host
  }

  /// Whether the client says who it is.
  package var hasCredential: Bool {
    fields.contains(where: isCredential)
  }

  package var description: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

func isCredential(_ field: HTTPField) -> Bool {
  field.isNamed("authorization") || field.isNamed("cookie")
}
