import FastCGI
import Hashing
import Offload
import Synchronization

/// Makes askers of requests: SHA-256 over a key of this process's own and all that goes upstream.
///
/// Each value goes in with its length, so that no two lists of values make one text.
final class AskerHasher: Sendable {
  fileprivate struct State: ~Copyable {
    var sha256 = SHA256()
    var text: [UInt8]
  }

  fileprivate static let keyBytes = 32
  private let state: Mutex<State>

  init() {
    // SystemRandomNumberGenerator is the kernel's, and fit for keys.
    var text = (0..<Self.keyBytes).map { _ in UInt8.random(in: .min ... .max) }
    text.reserveCapacity(8 << 10)
    state = Mutex(State(text: text))
  }

  /// - Parameter others: params that make a difference though they do not go upstream as fields.
  func asker(
    of request: Request, in location: Location, and others: [StaticString] = []
  ) -> Asker {
    state.withLock { state in
      for known in location.upstreamParameters { state.append(request, known.parameter) }
      // It goes upstream too, among those that a request was forwarded for.
      state.append(request, "REMOTE_ADDR")
      for other in others { state.append(request, other) }
      // What the web server says of the user. The names count: an empty value takes a field away.
      request.forEachParameter(prefix: SiteFields.prefix) { name, value in
        state.append(Array(name.utf8).span)
        state.append(value)
      }
      return state.hash()
    }
  }
}
extension AskerHasher.State {
  /// Adds the value of a param, with its length; an absent one is as an empty one, which is not sent.
  fileprivate mutating func append(_ request: Request, _ parameter: StaticString) {
    let isThere: Void? = request.withParameter(parameter) { append($0) }
    if isThere == nil { append(count: 0) }
  }

  fileprivate mutating func append(_ value: Span<UInt8>) {
    append(count: value.count)
    unsafe value.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
  }

  /// The hash of key and text; only the key is left.
  fileprivate mutating func hash() -> Asker {
    // Out of `self` meanwhile, whose other part works on it.
    var whole: [UInt8] = []
    swap(&whole, &text)
    let hash = sha256.digest(whole.span)
    // What was hashed holds a credential: it is not left lying about.
    for i in AskerHasher.keyBytes..<whole.count { whole[i] = 0 }
    whole.removeSubrange(AskerHasher.keyBytes...)
    swap(&whole, &text)
    return Asker(hash.span)
  }

  fileprivate mutating func append(count: Int) {
    for shift in [24, 16, 8, 0] { text.append(UInt8(truncatingIfNeeded: count >> shift)) }
  }
}
