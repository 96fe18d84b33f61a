internal import CCrypto

/// The owner of one `EVP_MD_CTX`.
///
/// libcrypto fails on valid arguments only when memory is out or its installation is broken, so
/// failures end the process.
@safe
struct DigestContext: ~Copyable {
  private let raw: OpaquePointer

  init() {
    guard let raw = unsafe EVP_MD_CTX_new() else { preconditionFailure("libcrypto: out of memory") }
    unsafe self.raw = raw
  }

  deinit { unsafe EVP_MD_CTX_free(raw) }

  /// Begins a new digest, whatever was there before.
  mutating func start(_ digest: FetchedDigest) {
    check(unsafe EVP_DigestInit_ex2(raw, digest.raw, nil))
  }

  /// Becomes as `other` is now.
  mutating func copy(_ other: borrowing DigestContext) {
    check(unsafe EVP_MD_CTX_copy_ex(raw, other.raw))
  }

  mutating func update(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { buffer in
      check(unsafe EVP_DigestUpdate(raw, buffer.baseAddress, buffer.count))
    }
  }

  /// Writes the digest to `output`, which is as long as that. The context can be started or copied
  /// into again.
  mutating func finish(into output: inout MutableSpan<UInt8>) {
    let size = unsafe Int(EVP_MD_get_size(EVP_MD_CTX_get0_md(raw)))
    precondition(size == output.count, "a digest of \(size) bytes for \(output.count)")
    unsafe output.withUnsafeMutableBufferPointer { buffer in
      check(unsafe EVP_DigestFinal_ex(raw, buffer.baseAddress, nil))
    }
  }

  private func check(_ result: Int32) {
    guard result == 1 else { preconditionFailure("libcrypto: a digest failed") }
  }
}
