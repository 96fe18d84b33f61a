/// A digest in the making.
///
///     var hash = HashFunction(.sha256)
///     hash.update(bytes.span)
///     let digest = hash.finalize()
package struct HashFunction: ~Copyable {
  package let algorithm: DigestAlgorithm
  private var context: DigestContext

  package init(_ algorithm: DigestAlgorithm) {
    self.algorithm = algorithm
    context = DigestContext()
    context.start(.of(algorithm))
  }

  package mutating func update(_ bytes: Span<UInt8>) {
    context.update(bytes)
  }

  /// The digest of all that came in, `algorithm.byteCount` bytes.
  package consuming func finalize() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: algorithm.byteCount)
    var span = digest.mutableSpan
    context.finish(into: &span)
    return digest
  }
}
