/// The algorithms that a digest of the OCI image-spec may name, spelt as there.
///
/// Source: <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#registered-algorithms>
package enum DigestAlgorithm: String, CaseIterable, Sendable {
  case sha256
  case sha512

  /// Bytes of a digest, 32 or 64; its hexadecimal is twice as long.
  package var byteCount: Int {
    switch self {
    case .sha256: 32
    case .sha512: 64
    }
  }
}
