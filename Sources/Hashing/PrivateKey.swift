internal import CCrypto

/// The owner of one `EVP_PKEY` that signs. Signing is done from any thread: each has its own context.
///
/// Source: <https://docs.openssl.org/3.0/man3/EVP_DigestSignInit/>
@safe
package final class PrivateKey: Sendable {
  package enum Kind: Sendable {
    case rsa
    /// On the curve P-256.
    case ecdsa
  }

  package enum Failure: Error, Sendable {
    /// No PEM with an unencrypted private key in it.
    case unreadable
    /// Another algorithm or curve.
    case unsupported
    /// libcrypto does not sign with this key and SHA-1: its policy forbids it.
    case forbidden
  }

  package let kind: Kind
  /// Its size in bits.
  package let bitCount: Int
  // Sendable: signing only reads the key, and its reference count is atomic.
  private nonisolated(unsafe) let raw: OpaquePointer

  /// - Parameter pem: PKCS #8, or the older forms for RSA and EC.
  package init(pem: [UInt8]) throws(Failure) {
    let key: OpaquePointer? = unsafe pem.withUnsafeBytes { bytes in
      guard let input = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
        return nil
      }
      defer { unsafe BIO_free(input) }
      // With a callback that refuses, nobody is asked for a password at the terminal.
      return unsafe PEM_read_bio_PrivateKey(input, nil, { _, _, _, _ in -1 }, nil)
    }
    guard let key = unsafe key else {
      ERR_clear_error()
      throw .unreadable
    }
    unsafe raw = key
    bitCount = unsafe Int(EVP_PKEY_get_bits(key))
    if unsafe EVP_PKEY_is_a(key, "RSA") == 1 {
      kind = .rsa
    } else if unsafe EVP_PKEY_is_a(key, "EC") == 1, bitCount == 256 {
      kind = .ecdsa
    } else {
      throw .unsupported
    }
  }

  deinit { unsafe EVP_PKEY_free(raw) }

  /// The signature of the message's SHA-1: PKCS #1 v1.5 for RSA, DER for ECDSA.
  package func signSHA1(_ message: Span<UInt8>) throws(Failure) -> [UInt8] {
    guard let context = unsafe EVP_MD_CTX_new() else {
      preconditionFailure("libcrypto: out of memory")
    }
    defer { unsafe EVP_MD_CTX_free(context) }
    let signature: [UInt8]? = unsafe message.withUnsafeBufferPointer { bytes in
      guard unsafe EVP_DigestSignInit(context, nil, EVP_sha1(), nil, raw) == 1 else { return nil }
      var count = unsafe Int(EVP_PKEY_get_size(raw))
      var signature = [UInt8](repeating: 0, count: count)
      guard unsafe EVP_DigestSign(context, &signature, &count, bytes.baseAddress, bytes.count) == 1
      else { return nil }
      return Array(signature[..<count])
    }
    guard let signature else {
      ERR_clear_error()
      throw .forbidden
    }
    return signature
  }
}
