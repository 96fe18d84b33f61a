/// HMAC-SHA-256 under one key.
///
/// The key's two blocks are hashed once, in `init`; each code then costs copies of those states and
/// the message. Not for two threads at once: put it behind a `Mutex`, or make one a thread.
///
/// Source: RFC 2104 §4, <https://www.rfc-editor.org/rfc/rfc2104#section-4>
package struct HMACSHA256: ~Copyable {
  package typealias Code = InlineArray<32, UInt8>

  /// Bytes that SHA-256 takes at a time.
  private static let blockBytes = 64

  private var inner: DigestContext
  private var outer: DigestContext
  private var work: DigestContext

  /// - Parameter key: of any length; longer than a block, it is its SHA-256 that counts.
  package init(key: Span<UInt8>) {
    var block = InlineArray<64, UInt8>(repeating: 0)
    if key.count > Self.blockBytes {
      let short = SHA256.hash(key)
      for i in short.indices { block[i] = short[i] }
    } else {
      for i in key.indices { block[i] = key[i] }
    }
    inner = Self.state(of: block, padding: 0x36)
    outer = Self.state(of: block, padding: 0x5C)
    work = DigestContext()
  }

  package mutating func code(for message: Span<UInt8>) -> Code {
    var code = Code(repeating: 0)
    var span = code.mutableSpan
    work.copy(inner)
    work.update(message)
    work.finish(into: &span)
    work.copy(outer)
    work.update(span.span)
    work.finish(into: &span)
    return code
  }

  package static func code(for message: Span<UInt8>, key: Span<UInt8>) -> Code {
    var function = HMACSHA256(key: key)
    return function.code(for: message)
  }

  private static func state(of block: InlineArray<64, UInt8>, padding: UInt8) -> DigestContext {
    var padded = block
    for i in padded.indices { padded[i] ^= padding }
    var context = DigestContext()
    context.start(.sha256)
    context.update(padded.span)
    return context
  }
}
