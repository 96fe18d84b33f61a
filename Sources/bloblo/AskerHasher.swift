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

  func asker(of request: Request, in location: Location) -> Asker {
    state.withLock { state in
      for known in location.upstreamParameters {
        let isThere: Void? = request.withParameter(known.parameter) { value in
          state.append(count: value.count)
          unsafe value.withUnsafeBufferPointer { unsafe state.text.append(contentsOf: $0) }
        }
        if isThere == nil { state.append(count: 0) }
      }
      return state.hash()
    }
  }
}

extension AskerHasher.State {
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
