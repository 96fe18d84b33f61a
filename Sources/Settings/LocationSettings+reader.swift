internal import HTTPTransport
internal import Offload
internal import Registry
internal import S3
internal import System

extension LocationSettings {
  /// The settings that a FastCGI param of the same name overrides for its request.
  package static let names: Set<String> = [
    "BLOBLO_UPSTREAM_URL", "BLOBLO_UPSTREAM_CHECK", "BLOBLO_UPSTREAM_REDIRECT",
    "BLOBLO_PRESERVE_HOST",
    "BLOBLO_S3_BUCKET_NAME", "BLOBLO_S3_REGION", "BLOBLO_S3_ENDPOINT_URL",
    "BLOBLO_S3_PUBLIC_ENDPOINT_URL",
    "BLOBLO_S3_ADDRESSING_STYLE", "BLOBLO_S3_KEY_TEMPLATE", "BLOBLO_PRESIGN_EXPIRES",
    "BLOBLO_REDIRECT_STATUS", "BLOBLO_DELIVERY", "BLOBLO_MIN_BLOB_SIZE", "BLOBLO_FILL",
    "BLOBLO_FILL_RANGES",
  ]

  /// - Returns: `nil` when something is wrong; the reader knows what.
  package init?(_ reader: inout SettingsReader) {
    let followedHosts = reader.value(
      "BLOBLO_UPSTREAM_FOLLOW", default: FollowedHosts.none, as: "",
      want: "host or host:port, several separated by commas"
    ) { FollowedHosts($0) }
    let upstream = readUpstream(&reader, followedHosts)
    let isHostPreserved = reader.boolean("BLOBLO_PRESERVE_HOST", default: false)
    let s3 = S3Settings(&reader)
    let presignLifetime = reader.duration(
      "BLOBLO_PRESIGN_EXPIRES", default: .seconds(300), in: .seconds(1)...(.seconds(604_800)))
    let statuses = ["307": 307, "302": 302]
    let redirectStatus = reader.value("BLOBLO_REDIRECT_STATUS", default: 307, want: "307 or 302") {
      statuses[$0]
    }
    let policy = OffloadEngine.Policy(
      delivery: reader.choice("BLOBLO_DELIVERY", default: Delivery.redirect),
      minimumBlobSize: reader.byteCount("BLOBLO_MIN_BLOB_SIZE", default: 0, in: 0...(.max)))
    let fill = reader.choice("BLOBLO_FILL", default: FillMode.tee)
    let fillRanges = reader.value(
      "BLOBLO_FILL_RANGES", default: FillRanges.on, as: "on",
      want: "on, off, or the size of the largest blob that a range fills, such as 512MiB"
    ) { text in
      switch text {
      case "on": .on
      case "off": .off
      default: readByteCount(text).map { .upTo($0) }
      }
    }
    guard let upstream, let s3 else { return nil }
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
) -> UpstreamRegistry? {
  let url = reader.value(
    "BLOBLO_UPSTREAM_URL", default: "http://localhost:6666" as String?,
    want: "http:// or https://, a host, and perhaps a port and a path"
  ) { upstreamURL($0) }
  let timeout = reader.duration(
    "BLOBLO_UPSTREAM_TIMEOUT", default: .seconds(5), in: .milliseconds(100)...(.seconds(60)))
  let limits = HTTPLimits(
    connect: timeout, head: timeout, stall: max(.seconds(6), timeout * 12),
    authoritiesFile: reader.readableFile("BLOBLO_UPSTREAM_CA_FILE"))
  let check = reader.choice("BLOBLO_UPSTREAM_CHECK", default: UpstreamRegistry.Check.auto)
  let redirect = reader.choice(
    "BLOBLO_UPSTREAM_REDIRECT", default: UpstreamRegistry.Redirect.digest)
  return url.map {
    UpstreamRegistry(
      url: $0, check: check, redirect: redirect, namedHosts: followedHosts, limits: limits)
  }
}

/// The URL without slashes at its end, if it is one that can be put before a path.
private func upstreamURL(_ text: String) -> String? {
  // An endpoint has the same grammar: scheme, authority, and perhaps a path.
  guard let endpoint = try? Endpoint(text) else { return nil }
  return endpoint.description
}

extension SettingsReader {
  mutating func readableFile(_ name: String) -> String? {
    guard let path = text(name) else { return nil }
    if isReadable(path) { return path }
    refuse(name, want: "a file that can be read", got: path)
    return nil
  }
}
