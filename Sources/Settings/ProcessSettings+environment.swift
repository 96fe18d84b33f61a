internal import FastCGI
package import Fill
internal import Logging
internal import Offload
internal import Primitives
internal import S3
internal import System

extension ProcessSettings {
  /// Reads and checks all settings.
  ///
  /// - Parameter environment: the process's.
  package init(environment: [String: String]) throws(SettingsError) {
    var reader = SettingsReader(environment)
    let listenAddress = reader.value(
      "BLOBLO_LISTEN_ADDR", default: .tcp(host: "", port: 7777),
      want: "host:port, :port (loopback) or unix:/path of at most 95 bytes"
    ) { ListenAddress($0) }
    let listenMode = reader.value(
      "BLOBLO_LISTEN_MODE", default: 0o660, as: "0660", want: "an octal mode such as 0660"
    ) { text in
      UInt32(text, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
    }
    let listenGroup = reader.optional("BLOBLO_LISTEN_GROUP", want: "a group of this system") {
      groupID($0)
    }
    let frontServer = reader.choice("BLOBLO_FRONT_SERVER", default: FrontServerKind.auto)
    let params = reader.namedParams()
    let location = LocationSettings(&reader)
    let isBucketNamed =
      reader.text("BLOBLO_S3_BUCKET_NAME") != nil
      || reader.boolean("BLOBLO_USE_LOCALSTACK", default: false)
    let registryHosts = readRegistryHosts(&reader)
    let credentials = reader.credentials()
    let lives = Memories.Lives(
      proof: reader.duration(
        "BLOBLO_PROOF_TTL", default: .seconds(30), in: .zero...(.seconds(86_400))),
      scope: reader.choice("BLOBLO_PROOF_SCOPE", default: ProofScope.blob),
      staleProof: reader.duration(
        "BLOBLO_PROOF_STALE", default: .zero, in: .zero...(.seconds(86_400))),
      presence: reader.duration(
        "BLOBLO_PRESENCE_TTL", default: .seconds(300), in: .zero...(.seconds(604_800))))
    let proofIdentity = reader.choice("BLOBLO_PROOF_IDENTITY", default: ProofIdentity.request)
    let looksAsClient = reader.lookAsClient()
    let presenceLooks = reader.number("BLOBLO_PRESENCE_LOOKS", default: 20, in: 0...1000)
    let answerLife = Duration.seconds(
      60 * reader.number("BLOBLO_CACHE_EXPIRATION_MINUTES", default: 10, in: 0...1440))
    let fillLimits = readFillLimits(&reader)
    let sweepAge = readSweepAge(&reader)
    let upstreamConnections = reader.number(
      "BLOBLO_UPSTREAM_CONNECTIONS", default: 1024, in: 1...65_536)
    let threads = reader.number("BLOBLO_THREADS", default: 32, in: 1...4096)
    let streamThreads = reader.number("BLOBLO_STREAM_THREADS", default: 256, in: 1...65_536)
    let stopTimeout = reader.duration(
      "BLOBLO_STOP_TIMEOUT", default: .seconds(30), in: .zero...(.seconds(86_400)))
    let logLevel = reader.value(
      "BLOBLO_LOG_LEVEL", default: Logger.Level.info,
      want: "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
    ) {
      Logger.Level(rawValue: $0.lowercased())
    }
    let logFormat = reader.choice("BLOBLO_LOG_FORMAT", default: LogFormat.json)
    let passFile = readPassFile(&reader)
    let areCoreFilesAllowed = reader.boolean("BLOBLO_CORE_DUMPS", default: false)
    var warnings = UnknownSettings(environment).sentences
    if listenAddress.isBeyondLoopback {
      warnings.append(
        "BLOBLO_LISTEN_ADDR: \(listenAddress) can be reached from other machines; whoever connects there can "
          + "stop bloblo and set its FastCGI params: use a Unix socket or a loopback address")
    }
    if location?.fill != .off, reader.text("BLOBLO_SPOOL_DIR") == nil,
      !isWritableFolder(fillLimits.spoolFolder)
    {
      reader.refuse(
        "BLOBLO_SPOOL_DIR: \(fillLimits.spoolFolder) is not a folder that bloblo may write to; name another"
      )
    }
    guard reader.problems.isEmpty, let location else {
      throw SettingsError(problems: reader.problems + warnings)
    }
    self.init(
      listenAddress: listenAddress, listenMode: listenMode,
      listenGroup: listenGroup, frontServer: frontServer, params: params, location: location,
      isBucketNamed: isBucketNamed, registryHosts: registryHosts, credentials: credentials,
      lives: lives, proofIdentity: proofIdentity, presenceLooks: presenceLooks,
      looksAsClient: looksAsClient, answerLife: answerLife,
      fillLimits: fillLimits, sweepAge: sweepAge,
      upstreamConnections: upstreamConnections, threads: threads, streamThreads: streamThreads,
      stopTimeout: stopTimeout, passFile: passFile, areCoreFilesAllowed: areCoreFilesAllowed,
      logLevel: logLevel, logFormat: logFormat, warnings: warnings, inForce: reader.inForce)
  }
}

/// The file that switches offloading off.
package func readPassFile(_ reader: inout SettingsReader) -> String {
  reader.value(
    "BLOBLO_PASS_FILE", default: "/run/bloblo/pass", want: "an absolute path"
  ) { $0.hasPrefix("/") ? $0 : nil }
}

extension SettingsReader {
  /// On, unless the public name of the bucket is one that leads elsewhere from here: LocalStack's `localhost` is
  /// each client's own.
  fileprivate mutating func lookAsClient() -> Bool {
    let isLocalStack = boolean("BLOBLO_USE_LOCALSTACK", default: false)
    return value(
      "BLOBLO_LOOK_AS_CLIENT", default: !isLocalStack, as: isLocalStack ? "off" : "on",
      want: "on or off"
    ) { ["on": true, "off": false][$0.lowercased()] }
  }
}

/// `registry.example.com,registry:5000`: the names by which clients know the registry.
package func readRegistryHosts(_ reader: inout SettingsReader) -> [String] {
  reader.value(
    "BLOBLO_REGISTRY_HOST", default: [],
    want: "host or host:port, several separated by commas"
  ) { text in
    let hosts = text.split(separator: ",").map { part in
      String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
    // What can stand in an image's name.
    let areHosts = hosts.allSatisfy { host in
      guard let endpoint = try? Endpoint("https://\(host)") else { return false }
      return endpoint.pathPrefix.isEmpty && !host.hasSuffix("/")
    }
    return areHosts && !hosts.isEmpty ? hosts : nil
  }
}

package func readSweepAge(_ reader: inout SettingsReader) -> Duration {
  reader.duration(
    "BLOBLO_SWEEP_AGE", default: .seconds(86_400), in: .zero...(.seconds(365 * 86_400)))
}

package func readFillLimits(_ reader: inout SettingsReader) -> Filler.Limits {
  Filler.Limits(
    fills: reader.number("BLOBLO_FILL_CONCURRENCY", default: 8, in: 1...1024),
    queue: reader.number("BLOBLO_FILL_QUEUE", default: 2048, in: 0...65_536),
    spoolFolder: reader.value(
      "BLOBLO_SPOOL_DIR", default: "/var/tmp", want: "an existing folder that bloblo may write to"
    ) { path in
      isWritableFolder(path) ? path : nil
    },
    spoolBytes: reader.byteCount("BLOBLO_SPOOL_MAX_BYTES", default: 16 << 30, in: 0...(.max)),
    partBytes: reader.byteCount(
      "BLOBLO_FILL_PART_SIZE", default: 8 << 20, in: PartSize.smallestBytes...(5 << 30)),
    parallelParts: reader.number("BLOBLO_FILL_PARALLEL_PARTS", default: 4, in: 1...64))
}
