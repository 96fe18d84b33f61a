package import HTTPTransport
internal import Hashing
package import Primitives

/// A URL that lets its bearer do one thing to one object. It shows itself as `<redacted>`: who reads
/// it in a log has it.
///
///     https://host/path?X-Amz-Algorithm=…&X-Amz-Credential=…&X-Amz-Date=…&X-Amz-Expires=…
///         [&X-Amz-Security-Token=…]&X-Amz-SignedHeaders=host&X-Amz-Signature=…
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
package struct PresignedURL: Sendable, CustomStringConvertible, CustomReflectable {
  package static let lifetimeSeconds: ClosedRange<Int64> = 1...604_800

  /// Seconds of a credential's life below which nothing is signed with it.
  package static let shortestLife: Int64 = 10

  /// Absolute and ASCII.
  package let bytes: [UInt8]
  /// When S3 stops to honour it: also when the credential ends.
  package let expiration: UnixTime
  private let hostRange: Range<Int>

  package var string: String { String(decoding: bytes, as: UTF8.self) }

  /// The value of `Host` that is signed.
  package var host: ArraySlice<UInt8> { bytes[hostRange] }

  /// Path and query, as on a request's first line.
  package var target: ArraySlice<UInt8> { bytes[hostRange.upperBound...] }

  package var description: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: []) }

  /// - Parameters:
  ///   - endpoint: nil for the bucket's public one.
  ///   - lifetime: whole seconds that S3 honours the URL, 1…604800.
  ///   - isRequesterPaying: whether the signer pays for the request.
  ///   - now: the instant of signing.
  /// - Throws: `.lifetimeOutOfRange`.
  package init(
    _ method: HTTPRequest.Method, _ key: ObjectKey, in bucket: Bucket,
    on endpoint: Endpoint? = nil, signer: Signer, lifetime: Duration,
    isRequesterPaying: Bool = false, now: UnixTime
  ) throws(S3Error) {
    let (seconds, fraction) = lifetime.components
    guard fraction == 0, Self.lifetimeSeconds.contains(seconds) else {
      throw .lifetimeOutOfRange(lifetime)
    }
    let date = AmazonDate(now)
    let scope = signer.scope(on: date)

    // Room for the whole at once: three bytes for each of the key's, and some 350 for the query
    // beside the token.
    var url: [UInt8] = []
    url.reserveCapacity(512 + 3 * key.utf8.count + signer.encodedSessionTokenCount)
    hostRange = bucket.append(urlOf: key, on: endpoint ?? bucket.publicEndpoint, to: &url)
    let pathEnd = url.count
    url.append(UInt8(ascii: "?"))
    signer.appendQuery(date: date, scope: scope, lifetimeSeconds: seconds, to: &url)
    // Lower case comes after upper case.
    if isRequesterPaying { url.append(contentsOf: "&x-amz-request-payer=requester".utf8) }

    let canonicalRequest = CanonicalRequest(
      presigning: method, path: url.span.extracting(hostRange.upperBound..<pathEnd),
      query: url.span.extracting((pathEnd + 1)...), host: url.span.extracting(hostRange))
    let stringToSign = StringToSign(canonicalRequest, date: date, scope: scope)
    url.append(contentsOf: "&X-Amz-Signature=".utf8)
    Hex.append(signer.signature(of: stringToSign, on: date).span, to: &url)

    bytes = url
    expiration = min(now + seconds, signer.credential.expiration ?? now + seconds)
  }
}
