internal import HTTPTransport
internal import Offload
internal import Registry
internal import S3
internal import System

extension LocationSettings {
  /// The settings that a FastCGI param of the same name overrides for its request.
  package static let names = Declared.names(of: [.location])

  /// Other settings that each location reads.
  package static let sharedNames = Declared.names(of: [.shared])

  /// - Returns: `nil` when something is wrong; the reader has the error.
  package init?(_ reader: inout SettingsReader) {
    let followedHosts = reader.value(Declared.upstreamFollow)
    let upstream = readUpstream(&reader, followedHosts)
    let isHostPreserved = reader.value(Declared.preserveHost)
    let s3 = S3Settings(&reader)
    let presignLifetime = reader.value(Declared.presignExpires)
    let redirectStatus = reader.value(Declared.redirectStatus)
    let policy = OffloadEngine.Policy(
      delivery: reader.value(Declared.delivery),
      minimumBlobSize: reader.value(Declared.minimumBlobSize))
    let fill = reader.value(Declared.fill)
    let fillRanges = reader.value(Declared.fillRanges)
    guard let s3 else { return nil }
    self.init(
      upstream: upstream, isHostPreserved: isHostPreserved, bucket: s3.bucket,
      keyTemplate: s3.keyTemplate, s3Limits: s3.limits, uploadOptions: s3.uploadOptions,
      cloudFront: s3.cloudFront, presignLifetime: presignLifetime,
      redirectStatus: redirectStatus, policy: policy, fill: fill,
      fillRanges: fillRanges, followedHosts: followedHosts)
  }
}

private func readUpstream(
  _ reader: inout SettingsReader, _ followedHosts: FollowedHosts
) -> UpstreamRegistry {
  let timeout = reader.value(Declared.upstreamTimeout)
  let limits = HTTPLimits(
    connect: timeout, head: timeout, idle: max(.seconds(6), timeout * 12),
    caFile: reader.value(Declared.upstreamAuthorities))
  let check = reader.value(Declared.upstreamCheck)
  let redirect = reader.value(Declared.upstreamRedirect)
  return UpstreamRegistry(
    url: reader.value(Declared.upstreamURL), check: check, redirect: redirect,
    namedHosts: followedHosts, limits: limits)
}

/// Checks a URL that paths are appended to, and removes slashes at its end.
func readUpstreamURL(_ text: String) -> String? {
  // An endpoint has the same grammar: scheme, authority, and perhaps a path.
  guard let endpoint = try? Endpoint(text) else { return nil }
  return endpoint.description
}
