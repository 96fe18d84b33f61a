internal import Offload
internal import Primitives
internal import Registry

/// When clients' tokens end. A client asks for many blobs by one token, and to read it costs more than the rest of a
/// decision.
///
/// On the loop's thread.
final class TokenEnds: @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.
  private static let limit = 4096
  /// `nil` where a token does not say. No token is kept: equal fingerprints are of equal credentials.
  private var known: [ClientFingerprint: UnixTime?] = [:]

  /// When the client's token ends, as the token says.
  ///
  /// - Returns: `nil` for a credential without an end; the distant past for a token whose end can't be read.
  func end(of client: ClientFields, _ fingerprint: ClientFingerprint) -> UnixTime? {
    guard client.bearer != nil else { return nil }
    if let end = known[fingerprint] { return end }
    let end = client.credentialEnd
    if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
    known.updateValue(end, forKey: fingerprint)
    return end
  }
}
