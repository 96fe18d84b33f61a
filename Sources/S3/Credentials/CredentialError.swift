/// Why a source that is set up gives no credential. Its words hold no secret.
package struct CredentialError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Sendable {
    /// It is set up wrongly: only the operator can correct it.
    case misconfigured
    /// It did not answer, or said no: it may a moment later.
    case unavailable
  }

  package let kind: Kind
  /// In the words of AWS's documents: `web identity (AWS_WEB_IDENTITY_TOKEN_FILE)`.
  package let source: String
  package let reason: String

  package init(_ kind: Kind, source: String, reason: String) {
    self.kind = kind
    self.source = source
    self.reason = reason
  }

  package var description: String { "\(source): \(reason)" }
}
