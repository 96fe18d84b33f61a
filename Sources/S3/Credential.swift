internal import HTTPTransport
package import Primitives

/// What requests are signed with.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds.html>
package struct Credential: Sendable, Equatable {
  /// Not secret: it stands in every signed request.
  package let accessKeyID: String
  package let secretAccessKey: Secret<String>
  /// Comes with temporary credentials.
  package let sessionToken: Secret<String>?
  /// When S3 stops to honour it; nil for a long-term one.
  package let expiration: UnixTime?

  package init(
    accessKeyID: String, secretAccessKey: Secret<String>, sessionToken: Secret<String>? = nil,
    expiration: UnixTime? = nil
  ) {
    self.accessKeyID = accessKeyID
    self.secretAccessKey = secretAccessKey
    self.sessionToken = sessionToken
    self.expiration = expiration
  }

  package static func == (a: Credential, b: Credential) -> Bool {
    a.accessKeyID == b.accessKeyID && a.expiration == b.expiration
      && a.secretAccessKey.exposed == b.secretAccessKey.exposed
      && a.sessionToken?.exposed == b.sessionToken?.exposed
  }

  /// Whether requests can be signed with it: nothing is empty, and what stands in a request stands on one
  /// line.
  var isUsable: Bool {
    !secretAccessKey.exposed.isEmpty
      && [accessKeyID, sessionToken?.exposed].compactMap(\.self).allSatisfy {
        !$0.isEmpty && HTTPField("Authorization", $0).isSendable
      }
  }

  package func isExpired(at now: UnixTime) -> Bool {
    expiration.map { $0 <= now } ?? false
  }
}
