internal import FastCGI
internal import Hashing
internal import Offload
internal import Settings
internal import Synchronization

/// Identifies who asks, by a SHA-256 over a key of this process's own and all that goes upstream.
///
/// Each value goes in with its length, so that two different lists of values never make the same text.
final class Fingerprinter: Sendable {
  fileprivate struct State: ~Copyable {
    var sha256 = SHA256()
    var text: HashedText
  }

  fileprivate static let keyBytes = 32
  private let state: Mutex<State>

  private let identity: ProofIdentity

  init(_ identity: ProofIdentity) {
    self.identity = identity
    // SystemRandomNumberGenerator is the kernel's, and fit for keys.
    let key = (0..<Self.keyBytes).map { _ in UInt8.random(in: .min ... .max) }
    var text = HashedText()
    text.append(key.span)
    state = Mutex(State(text: text))
  }

  /// - Parameter others: params that count though they do not go upstream as fields.
  func fingerprint(
    of request: Request, in location: Location, and others: [StaticString] = []
  ) -> ClientFingerprint {
    let isCredentialEnough = identity == .credential && request.hasCredential
    return state.withLock { state in
      if isCredentialEnough {
        // No value is that long: the other text can't begin so.
        state.append(count: -1)
        for parameter in credentialParameters { state.append(request, parameter) }
      } else {
        for parameter in location.fingerprintParameters { state.append(request, parameter) }
        // It goes upstream too, at the end of `X-Forwarded-For`; and so do all lines of that field.
        state.append(request, "REMOTE_ADDR")
        let lines = request.forwardedForOfSeveralLines ?? []
        state.append(lines.span)
      }
      for other in others { state.append(request, other) }
      // The site's fields about the user. Their names count: an empty value removes a field.
      request.forEachParameter(prefix: SiteFields.prefix) { name, value in
        if isCredentialEnough, saysWhence(name) { return }
        state.append(Array(name.utf8).span)
        state.append(value)
      }
      return state.hash()
    }
  }
}

/// All that counts for a registry that decides by the credential alone: the credential and the host that is asked
/// for.
private let credentialParameters: [StaticString] = [
  "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_HOST", "HTTP_X_FORWARDED_HOST",
]

/// Whether a field of the site tells where a request comes from, not who sent it.
private func saysWhence(_ parameter: String) -> Bool {
  [
    "BLOBLO_FIELD_X_FORWARDED_FOR", "BLOBLO_FIELD_X_REAL_IP", "BLOBLO_FIELD_FORWARDED",
    "BLOBLO_FIELD_USER_AGENT",
  ].contains(parameter)
}

extension Request {
  /// Whether the request has a credential that is not empty. A cookie is no such credential: strangers have one too.
  fileprivate var hasCredential: Bool {
    // The web server's field replaces the client's.
    withParameter("BLOBLO_FIELD_AUTHORIZATION") { $0.isCredential }
      ?? withParameter("HTTP_AUTHORIZATION") { $0.isCredential } ?? false
  }
}

extension Span<UInt8> {
  /// Whether a credential follows the scheme. `Basic ` with nothing, or with an empty user and password (":"), has
  /// none.
  fileprivate var isCredential: Bool {
    var at = 0
    while at < count, self[at] == 0x20 || self[at] == 0x09 { at += 1 }
    while at < count, self[at] != 0x20, self[at] != 0x09 { at += 1 }
    while at < count, self[at] == 0x20 || self[at] == 0x09 { at += 1 }
    guard at < count else { return false }
    // Base64 of ":" begins "Og", "Oh", "Oi" … by its four spare bits; lenient readers want no padding and skip blanks.
    let rest = extracting(at...)
    guard rest.count >= 2, rest[0] == UInt8(ascii: "O") else { return true }
    return !(UInt8(ascii: "g")...UInt8(ascii: "v")).contains(rest[1])
      || (2..<rest.count).contains { !"=\t ".utf8.contains(rest[$0]) }
  }
}

extension Fingerprinter.State {
  /// Adds the value of a param with its length. An absent param counts as an empty one: neither is sent.
  fileprivate mutating func append(_ request: Request, _ parameter: StaticString) {
    let isThere: Void? = request.withParameter(parameter) { append($0) }
    if isThere == nil { append(count: 0) }
  }

  fileprivate mutating func append(_ value: Span<UInt8>) {
    append(count: value.count)
    text.append(value)
  }

  /// The hash of key and text; the text is wiped.
  fileprivate mutating func hash() -> ClientFingerprint {
    let hash = unsafe text.bytes.withMemoryRebound(to: UInt8.self) { unsafe sha256.digest($0.span) }
    text.clear(butFor: Fingerprinter.keyBytes)
    return ClientFingerprint(hash.span)
  }

  fileprivate mutating func append(count: Int) {
    let bytes: InlineArray<1, UInt32> = [UInt32(truncatingIfNeeded: count).bigEndian]
    unsafe bytes.span.withUnsafeBytes { unsafe text.append($0) }
  }
}

/// The bytes that are hashed, in one place. They hold a credential meanwhile.
///
/// Not an array, whose checks at each of some twenty small pieces cost more than the copying.
@safe
private struct HashedText: ~Copyable, @unchecked Sendable {
  // @unchecked: its memory is its own.
  private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 << 10, alignment: 16)
  private var count = 0

  deinit {
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    unsafe memory.deallocate()
  }

  var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: memory[..<count]) }

  mutating func append(_ piece: Span<UInt8>) {
    unsafe piece.withUnsafeBytes { unsafe append($0) }
  }

  mutating func append(_ piece: UnsafeRawBufferPointer) {
    guard let source = piece.baseAddress, piece.count > 0 else { return }
    if unsafe count + piece.count > memory.count { grow(to: count + piece.count) }
    unsafe memory.baseAddress?.advanced(by: count)
      .copyMemory(from: source, byteCount: piece.count)
    count += piece.count
  }

  /// Wipes the text, which holds a credential.
  mutating func clear(butFor kept: Int) {
    unsafe UnsafeMutableRawBufferPointer(rebasing: memory[kept..<count])
      .initializeMemory(as: UInt8.self, repeating: 0)
    count = kept
  }

  private mutating func grow(to size: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size * 2, alignment: 16)
    unsafe larger.copyMemory(from: bytes)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    unsafe memory.deallocate()
    unsafe memory = larger
  }
}
