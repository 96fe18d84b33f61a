/// SHA-256 of bytes that are all there, with a context that serves again and again.
///
/// Source: FIPS 180-4, <https://csrc.nist.gov/pubs/fips/180-4/upd1/final>
package struct SHA256: ~Copyable {
  package typealias Digest = InlineArray<32, UInt8>

  private var context: DigestContext

  package init() {
    context = DigestContext()
  }

  package mutating func digest(_ bytes: Span<UInt8>) -> Digest {
    var digest = Digest(repeating: 0)
    context.start(.sha256)
    context.update(bytes)
    var span = digest.mutableSpan
    context.finish(into: &span)
    return digest
  }

  package static func hash(_ bytes: Span<UInt8>) -> Digest {
    var function = SHA256()
    return function.digest(bytes)
  }

  package static func hash(_ bytes: [UInt8]) -> Digest {
    hash(bytes.span)
  }

  /// Lower-case hexadecimal of nothing's SHA-256: the payload hash of a request without a body.
  package static let hexOfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}
