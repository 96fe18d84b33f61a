internal import FastCGI
internal import HTTPTransport

/// The fields that the web server sets for the registry by params `BLOBLO_FIELD_<NAME>`: who the user is, say.
///
///     fastcgi_param BLOBLO_FIELD_X_SSO_USER $remote_user;      X-Sso-User: alice
///
/// A client can't set such a param: what it sends arrives under names that begin with `HTTP_`.
struct SiteFields {
  static let prefix: StaticString = "BLOBLO_FIELD_"

  /// An empty value takes the client's own field away.
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

  /// Whether a client's field of this name, in lower case, goes no further.
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

/// What would change the question, or belongs to the connection: never the web server's to set.
private func isOurs(_ lowercased: String) -> Bool {
  isHopByHop(lowercased) || lowercased.hasPrefix("if-")
    || ["range", "accept-encoding", "via", "x-request-id"].contains(lowercased)
}
