package import Hashing
package import Primitives
internal import Synchronization

/// Signs URLs of a CloudFront distribution, in the short form that has only an end: the canned policy.
///
///     https://d111111abcdef8.cloudfront.net/path?Expires=…&Signature=…&Key-Pair-Id=…
///
/// CloudFront reads the bucket itself; the URL ends when it says, whatever becomes of a credential of AWS.
///
/// Source:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>
package struct CloudFrontSigner: Sendable {
  /// The distribution, with the path that its behaviour has for the bucket.
  package let endpoint: Endpoint
  /// `K…`: names the public key to CloudFront.
  private let keyPairID: String
  private let key: RenewableKey

  /// - Throws: `PrivateKey.Failure` when the key can't sign.
  package init(
    _ endpoint: Endpoint, keyPairID: String, key: PrivateKey
  ) throws(PrivateKey.Failure) {
    self.endpoint = endpoint
    self.keyPairID = keyPairID
    self.key = RenewableKey(key)
    _ = try key.signSHA1(Array("probe".utf8).span)
  }

  /// Signs by another signer's key from now on, in all copies of this one.
  package func renewKey(from other: CloudFrontSigner) { key.renew(other.key.current) }

  /// Rises with each new key.
  package var keyGeneration: Int { key.generation }

  /// - Parameters:
  ///   - lifetime: from the beginning of the span that `now` is in, `span` seconds long.
  package func presign(
    _ key: ObjectKey, lifetime: Duration, span: Int64, now: UnixTime
  ) throws(S3Error) -> CloudFrontURL {
    let start = UnixTime(seconds: now.seconds - now.seconds % max(1, span))
    let expiration = start + lifetime.components.seconds
    var url = Array("\(endpoint)/".utf8)
    PercentEncoding.append(key.utf8, keepingSlash: true, to: &url)
    var policy = Array("{\"Statement\":[{\"Resource\":\"".utf8)
    policy.append(contentsOf: url)
    policy.append(
      contentsOf:
        "\",\"Condition\":{\"DateLessThan\":{\"AWS:EpochTime\":\(expiration.seconds)}}}]}".utf8)
    let signature: [UInt8]
    do {
      signature = try self.key.current.signSHA1(policy.span)
    } catch {
      throw .cannotSign
    }
    url.append(contentsOf: "?Expires=\(expiration.seconds)&Signature=".utf8)
    Self.append(signature, to: &url)
    url.append(contentsOf: "&Key-Pair-Id=".utf8)
    PercentEncoding.append(keyPairID.utf8, to: &url)
    return CloudFrontURL(bytes: url, start: start, expiration: expiration)
  }

  /// Base 64 in CloudFront's own alphabet: `+`, `=` and `/` become `-`, `_` and `~`.
  private static func append(_ signature: [UInt8], to url: inout [UInt8]) {
    for byte in Base64.encode(signature.span) {
      switch byte {
      case UInt8(ascii: "+"): url.append(UInt8(ascii: "-"))
      case UInt8(ascii: "="): url.append(UInt8(ascii: "_"))
      case UInt8(ascii: "/"): url.append(UInt8(ascii: "~"))
      default: url.append(byte)
      }
    }
  }
}

/// A key that can be exchanged while it is used.
private final class RenewableKey: Sendable {
  private let state: Mutex<(key: PrivateKey, generation: Int)>

  init(_ key: PrivateKey) { state = Mutex((key, 1)) }

  var current: PrivateKey { state.withLock { $0.key } }
  var generation: Int { state.withLock { $0.generation } }

  func renew(_ key: PrivateKey) {
    state.withLock { $0 = (key, $0.generation + 1) }
  }
}

/// A URL that its bearer may GET. It shows itself as `<redacted>`.
package struct CloudFrontURL: Sendable, CustomStringConvertible, CustomReflectable {
  package let bytes: [UInt8]
  /// The beginning of the span in which the same URL is made.
  package let start: UnixTime
  package let expiration: UnixTime

  package var string: String { String(decoding: bytes, as: UTF8.self) }
  package var description: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
