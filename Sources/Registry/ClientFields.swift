package import HTTPTransport

/// What of a client's request goes upstream with the check and the reading: who asks, by what, from where.
///
/// Never `Range` or `Accept-Encoding`: they would change what is asked. They hold credentials and are
/// never shown.
package struct ClientFields: Sendable, CustomStringConvertible, CustomReflectable {
  package var fields: [HTTPField]

  package init(_ fields: [HTTPField]) {
    self.fields = fields
  }

  /// Whether the client says who it is.
  package var hasCredential: Bool {
    fields.contains { field in
      let name = field.name.lowercased()
      return name == "authorization" || name == "cookie"
    }
  }

  package var description: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
