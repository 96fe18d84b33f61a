/// `BLOBLO_PROOF_IDENTITY`: which clients share a remembered proof, ping or token.
package enum ProofIdentity: String, Sendable, CaseIterable {
  /// Clients that ask in exactly the same way: credential, address, user agent and all else that goes upstream.
  case request
  /// Clients with the same credential, whatever their address: for registries that decide by the credential alone.
  /// Requests without a credential are treated as by `request`.
  case credential
}
