package import HTTPTransport
package import Primitives

extension BucketClient {
  /// A URL that ends with the credential that signed it, if that is sooner.
  ///
  /// - Parameters:
  ///   - isForClient: whether it is for the public endpoint, or for the one that we see.
  ///   - lifetime: 1…604800 s; a fraction is dropped.
  ///   - span: seconds; all who sign within one span, of whatever instance, make the same URL. 1 for none.
  ///   - now: our own time; signed is S3's.
  /// - Throws: `.noCredential`; `.credentialEnds` when the credential has less than 10 s.
  package func presign(
    _ method: HTTPRequest.Method, _ key: ObjectKey, isForClient: Bool = true,
    lifetime: Duration, span: Int64 = 1, now: UnixTime
  ) throws(S3Error) -> PresignedURL {
    let time = site.clock.time(at: now)
    guard let (bucket, signer) = site.presigner(at: time) else { throw .noCredential }
    let start = UnixTime(seconds: time.seconds - time.seconds % max(1, span))
    var lifetime = Duration.seconds(lifetime.components.seconds)
    if let end = signer.credential.expiration {
      guard end - time >= PresignedURL.shortestLife else { throw .credentialEnds(end - time) }
      lifetime = min(lifetime, .seconds(end - start))
    }
    return try PresignedURL(
      method, key, in: bucket, on: isForClient ? bucket.publicEndpoint : bucket.endpoint,
      signer: signer, lifetime: lifetime,
      isRequesterPaying: uploadOptions.isRequesterPaying, now: start)
  }
}
