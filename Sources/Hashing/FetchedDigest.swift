internal import CCrypto

/// libcrypto's implementation of one algorithm.
///
/// `EVP_sha256()` would be looked up anew by each `EVP_DigestInit`, under libcrypto's locks; fetched
/// explicitly it is looked up once in the life of the process, and never freed.
///
/// Source: <https://docs.openssl.org/3.0/man7/crypto/#performance>
@safe
struct FetchedDigest: @unchecked Sendable {
  // Sendable: an EVP_MD is constant once fetched, its reference count atomic.
  let raw: OpaquePointer

  static let sha256 = FetchedDigest("SHA256")
  static let sha512 = FetchedDigest("SHA512")

  private init(_ name: StaticString) {
    guard let raw = unsafe EVP_MD_fetch(nil, name.utf8Start, nil) else {
      preconditionFailure("libcrypto has no \(name): its installation is broken")
    }
    unsafe self.raw = raw
  }

  static func of(_ algorithm: DigestAlgorithm) -> FetchedDigest {
    switch algorithm {
    case .sha256: sha256
    case .sha512: sha512
    }
  }
}
