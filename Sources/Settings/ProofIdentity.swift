/// `BLOBLO_PROOF_IDENTITY`: for whom a proof, a ping or a token is remembered.
package enum ProofIdentity: String, Sendable, CaseIterable {
  /// Who asks in all the same way: credential, address, user agent and all else that goes upstream.
  case request
  /// Who has the same credential, from wherever: for registries that decide by it alone. Without one it is as
  /// `request`.
  case credential
}
