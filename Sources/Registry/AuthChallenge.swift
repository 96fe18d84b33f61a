internal import HTTPTransport

/// What a registry wants to see, as the `WWW-Authenticate` of its 401 says.
///
///     Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull"
///
/// Source: RFC 9110 §11.6.1; <https://distribution.github.io/distribution/spec/auth/token/>
package struct AuthChallenge: Hashable, Sendable {
  /// Lower-case: `basic`, `bearer`.
  package let scheme: String
  /// By their names in lower case.
  package let parameters: [String: String]

  /// Reads one challenge; of several in one field, the first.
  package init?(_ field: String) {
    var rest = Substring(field).drop { $0 == " " || $0 == "," }
    scheme = rest.prefix { $0 != " " && $0 != "," }.lowercased()
    guard !scheme.isEmpty else { return nil }
    rest = rest.dropFirst(scheme.count)
    var parameters: [String: String] = [:]
    while let (name, value) = Self.parameter(&rest) { parameters[name] = value }
    self.parameters = parameters
  }

  /// Takes `name=value` or `name="value"`; `nil` at the end, and at the scheme of a next challenge.
  private static func parameter(_ rest: inout Substring) -> (String, String)? {
    rest = rest.drop { $0 == " " || $0 == "," || $0 == "\t" }
    let name = rest.prefix { $0 != "=" && $0 != " " && $0 != "," }
    guard !name.isEmpty, rest.dropFirst(name.count).first == "=" else { return nil }
    rest = rest.dropFirst(name.count + 1)
    guard rest.first == "\"" else {
      let value = rest.prefix { $0 != "," && $0 != " " }
      rest = rest.dropFirst(value.count)
      return (name.lowercased(), String(value))
    }
    rest = rest.dropFirst()
    var value = ""
    while let character = rest.popFirst(), character != "\"" {
      guard character == "\\" else {
        value.append(character)
        continue
      }
      if let escaped = rest.popFirst() { value.append(escaped) }
    }
    return (name.lowercased(), value)
  }
}

extension AuthChallenge {
  /// Whether the challenge is for this host and port: its service, or where its realm is.
  func names(_ authority: String) -> Bool {
    if parameters["service"]?.lowercased() == authority { return true }
    return parameters["realm"].flatMap { try? HTTPURL($0) }?.authority == authority
  }
}

func challenges(in head: HTTPResponseHead) -> [AuthChallenge] {
  head.fields.filter { $0.isNamed("WWW-Authenticate") }.compactMap {
    AuthChallenge($0.text)
  }
}
