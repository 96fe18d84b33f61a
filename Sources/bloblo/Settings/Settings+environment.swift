import FastCGI
import Fill
import HTTPTransport
import Offload
import Primitives
import Registry
import S3

extension Settings {
  /// Reads and checks all settings.
  ///
  /// - Parameter environment: the process's.
  init(environment: [String: String]) throws(SettingsError) {
    var reader = SettingsReader(environment)
    let s3 = S3Settings(&reader)
    let listenAddress = reader.value(
      "BLOBLO_LISTEN_ADDR", default: .tcp(host: "", port: 7777),
      want: "host:port, :port (loopback) or unix:/path of at most 95 bytes"
    ) { ListenAddress($0) }
    let listenMode = reader.value(
      "BLOBLO_LISTEN_MODE", default: 0o660, want: "an octal mode such as 0660"
    ) { text in
      UInt32(text, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
    }
    let upstream = readUpstream(&reader)
    let isHostPreserved = reader.boolean("BLOBLO_PRESERVE_HOST", default: false)
    let presignLifetime = reader.duration(
      "BLOBLO_PRESIGN_EXPIRES", default: .seconds(300), in: .seconds(1)...(.seconds(604_800)))
    let redirectStatus = reader.value("BLOBLO_REDIRECT_STATUS", default: 307, want: "307 or 302") {
      text in
      ["307": 307, "302": 302][text]
    }
    let policy = OffloadEngine.Policy(
      delivery: reader.choice("BLOBLO_DELIVERY", default: Delivery.redirect),
      minimumBlobSize: reader.byteCount("BLOBLO_MIN_BLOB_SIZE", default: 0, in: 0...(.max)))
    let fill = reader.choice("BLOBLO_FILL", default: FillMode.tee)
    let fillLimits = readFillLimits(&reader)
    let threads = reader.number("BLOBLO_THREADS", default: 32, in: 1...4096)
    let streamThreads = reader.number("BLOBLO_STREAM_THREADS", default: 256, in: 1...65_536)
    let stopTimeout = reader.duration(
      "BLOBLO_STOP_TIMEOUT", default: .seconds(30), in: .zero...(.seconds(86_400)))
    let logLevel = reader.value(
      "BLOBLO_LOG_LEVEL", default: "info", want: "one of \(logLevels.joined(separator: ", "))"
    ) { text in
      logLevels.contains(text.lowercased()) ? text.lowercased() : nil
    }
    let logFormat = reader.choice("BLOBLO_LOG_FORMAT", default: LogFormat.json)
    var warnings = UnknownSettings(environment).sentences
    if listenAddress.isBeyondLoopback {
      warnings.append(
        "BLOBLO_LISTEN_ADDR: \(listenAddress) can be reached from other machines; whoever connects there can "
          + "stop bloblo and set its FastCGI params: use a Unix socket or a loopback address")
    }
    if fill != .off, reader.text("BLOBLO_SPOOL_DIR") == nil,
      !isWritableFolder(fillLimits.spoolFolder)
    {
      reader.refuse(
        "BLOBLO_SPOOL_DIR: \(fillLimits.spoolFolder) is not a folder that bloblo may write to; name another"
      )
    }
    guard reader.problems.isEmpty, let s3, let upstream else {
      throw SettingsError(problems: reader.problems + warnings)
    }
    self.init(
      listenAddress: listenAddress, listenMode: listenMode,
      listenGroup: reader.text("BLOBLO_LISTEN_GROUP"),
      upstream: upstream, isHostPreserved: isHostPreserved, bucket: s3.bucket,
      keyTemplate: s3.keyTemplate,
      s3Limits: s3.limits, credential: s3.credential, presignLifetime: presignLifetime,
      redirectStatus: redirectStatus, policy: policy, fill: fill, fillLimits: fillLimits,
      threads: threads,
      streamThreads: streamThreads, stopTimeout: stopTimeout, logLevel: logLevel,
      logFormat: logFormat,
      warnings: warnings)
  }
}

private let logLevels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

private func readUpstream(_ reader: inout SettingsReader) -> UpstreamRegistry? {
  let url = reader.value(
    "BLOBLO_UPSTREAM_URL", default: "http://localhost:6666" as String?,
    want: "http:// or https://, a host, and perhaps a port and a path"
  ) { upstreamURL($0) }
  let timeout = reader.duration(
    "BLOBLO_UPSTREAM_TIMEOUT", default: .seconds(5), in: .milliseconds(100)...(.seconds(60)))
  let limits = HTTPLimits(
    connect: timeout, head: timeout, stall: .seconds(60),
    authoritiesFile: reader.readableFile("BLOBLO_UPSTREAM_CA_FILE"))
  let check = reader.choice("BLOBLO_UPSTREAM_CHECK", default: UpstreamRegistry.Check.auto)
  let redirect = reader.choice(
    "BLOBLO_UPSTREAM_REDIRECT", default: UpstreamRegistry.Redirect.digest)
  return url.map { UpstreamRegistry(url: $0, check: check, redirect: redirect, limits: limits) }
}

/// The URL without slashes at its end, if it is one that can be put before a path.
private func upstreamURL(_ text: String) -> String? {
  // An endpoint has the same grammar: scheme, authority, and perhaps a path.
  guard let endpoint = try? Endpoint(text) else { return nil }
  return endpoint.description
}

private func readFillLimits(_ reader: inout SettingsReader) -> Filler.Limits {
  Filler.Limits(
    fills: reader.number("BLOBLO_FILL_CONCURRENCY", default: 8, in: 1...1024),
    spoolFolder: reader.value(
      "BLOBLO_SPOOL_DIR", default: "/var/tmp", want: "an existing folder that bloblo may write to"
    ) { path in
      isWritableFolder(path) ? path : nil
    },
    spoolBytes: reader.byteCount("BLOBLO_SPOOL_MAX_BYTES", default: 16 << 30, in: 0...(.max)),
    partBytes: reader.byteCount(
      "BLOBLO_FILL_PART_SIZE", default: 8 << 20, in: PartSize.smallestBytes...(5 << 30)))
}

extension SettingsReader {
  mutating func readableFile(_ name: String) -> String? {
    guard let path = text(name) else { return nil }
    if isReadable(path) { return path }
    refuse(name, want: "a file that can be read", got: path)
    return nil
  }
}
