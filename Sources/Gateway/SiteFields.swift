internal import FastCGI
internal import HTTPTransport

/// The fields that the web server sets for the registry by params `BLOBLO_FIELD_<NAME>`, such as the user's name.
///
///     fastcgi_param BLOBLO_FIELD_X_SSO_USER $remote_user;      X-Sso-User: alice
///
/// A client can't set such a param: what it sends arrives under names that begin with `HTTP_`.
struct SiteFields {
  static let prefix: StaticString = "BLOBLO_FIELD_"

  /// An empty value removes the client's own field.
  let fields: [HTTPField]

  init(_ request: Request) {
    var fields: [HTTPField] = []
    request.forEachParameter(prefix: Self.prefix) { name, value in
      let name = fieldName(name.dropFirst(Self.prefix.utf8CodeUnitCount))
      guard !name.isEmpty, !isOurs(name.lowercased()) else { return }
      fields.append(HTTPField(name, value.withArray { $0 }))
    }
    self.fields = fields
  }

  private init(_ fields: [HTTPField]) { self.fields = fields }

  /// The same names without values: the registry hears no user's name.
  var withoutValues: SiteFields { SiteFields(fields.map { HTTPField($0.name, "") }) }

  /// Whether a client's field of this name, in lower case, is replaced or removed.
  func replaces(_ name: String) -> Bool { fields.first(named: HTTPField.Name(name)) != nil }
}

extension [HTTPField] {
  mutating func replace(by site: SiteFields) {
    guard !site.fields.isEmpty else { return }
    removeAll { site.replaces($0.name.lowercased()) }
    append(contentsOf: site.fields.filter { !$0.value.isEmpty })
  }
}

/// `X-Sso-User` of `X_SSO_USER`, as a param is named.
func fieldName(_ parameter: some StringProtocol) -> String {
  parameter.lowercased().split(separator: "_")
    .map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: "-")
}

/// Names that the web server may not set: they would change the question, or belong to the connection.
private func isOurs(_ lowercased: String) -> Bool {
  isHopByHop(lowercased) || lowercased.hasPrefix("if-")
    || ["range", "accept-encoding", "via", "x-request-id"].contains(lowercased)
}
