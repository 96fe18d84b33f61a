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
    let listenAddress = reader.value(Declared.listenAddress)
    let listenMode = reader.value(Declared.listenMode)
    let listenGroup = reader.value(Declared.listenGroup)
    let frontServer = reader.value(Declared.frontServer)
    let params = reader.value(Declared.params)
    let location = LocationSettings(&reader)
    let isLocalStack = reader.value(Declared.useLocalStack)
    let isBucketNamed = reader.isSet(Declared.bucketName) || isLocalStack
    let registryHosts = reader.value(Declared.registryHost)
    let credentials = reader.credentials()
    let lifetimes = DecisionCache.Lifetimes(
      proof: reader.value(Declared.proofLife), scope: reader.value(Declared.proofScope),
      staleProof: reader.value(Declared.staleProofLife),
      presence: reader.value(Declared.presenceLife))
    let proofIdentity = reader.value(Declared.proofIdentity)
    // LocalStack's `localhost` is each client's own machine: from here the public name leads elsewhere.
    let looksAsClient = reader.value(
      Declared.lookAsClient, default: (!isLocalStack, isLocalStack ? "off" : "on"))
    let presenceLooks = reader.value(Declared.presenceLooks)
    let answerLife = Duration.seconds(60 * reader.value(Declared.cacheExpirationMinutes))
    let fillLimits = reader.fillLimits()
    let sweepAge = reader.value(Declared.sweepAge)
    let upstreamConnections = reader.value(Declared.upstreamConnections)
    let threads = reader.value(Declared.threads)
    let streamThreads = reader.value(Declared.streamThreads)
    let stopTimeout = reader.value(Declared.stopTimeout)
    let logLevel = reader.value(Declared.logLevel)
    let logFormat = reader.value(Declared.logFormat)
    let passFile = reader.value(Declared.passFile)
    let areCoreFilesAllowed = reader.value(Declared.coreDumps)
    var warnings = UnknownSettings(environment).sentences + Self.paddedKeys(environment)
    if listenAddress.isBeyondLoopback {
      warnings.append(
        "BLOBLO_LISTEN_ADDR: \(listenAddress) can be reached from other machines; anyone who connects there can "
          + "stop bloblo and set its FastCGI params: use a Unix socket or a loopback address")
    }
    if location?.fill != .off, !reader.isSet(Declared.spoolFolder),
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
      lifetimes: lifetimes, proofIdentity: proofIdentity, presenceLooks: presenceLooks,
      looksAsClient: looksAsClient, answerLife: answerLife,
      fillLimits: fillLimits, sweepAge: sweepAge,
      upstreamConnections: upstreamConnections, threads: threads, streamThreads: streamThreads,
      stopTimeout: stopTimeout, passFile: passFile, areCoreFilesAllowed: areCoreFilesAllowed,
      logLevel: logLevel, logFormat: logFormat, warnings: warnings, inForce: reader.inForce)
  }
}

extension ProcessSettings {
  /// A key with a comment behind it, or with its line's end, as a Kubernetes Secret may have it. S3 says only that the
  /// signature is wrong.
  private static func paddedKeys(_ environment: [String: String]) -> [String] {
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].filter {
      environment[$0]?.contains(where: \.isWhitespace) == true
    }.map {
      "\($0): has white space in it, which S3 takes for a part of it; remove it (a comment needs a line of its own)"
    }
  }
}

/// The permission bits of a socket, as an octal number.
func readListenMode(_ text: String) -> UInt32? {
  UInt32(text, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
}

/// `registry.example.com,registry:5000`: the names by which clients know the registry.
func readRegistryHosts(_ text: String) -> [String]? {
  let hosts = text.split(separator: ",").map { part in
    String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
  // The characters of a host in an image's name.
  let areHosts = hosts.allSatisfy { host in
    guard let endpoint = try? Endpoint("https://\(host)") else { return false }
    return endpoint.pathPrefix.isEmpty && !host.hasSuffix("/")
  }
  return areHosts && !hosts.isEmpty ? hosts : nil
}

extension SettingsReader {
  package mutating func fillLimits() -> Filler.Limits {
    Filler.Limits(
      fills: value(Declared.fillConcurrency), queue: value(Declared.fillQueue),
      spoolFolder: value(Declared.spoolFolder), spoolBytes: value(Declared.spoolBytes),
      partBytes: value(Declared.fillPartSize), parallelParts: value(Declared.fillParallelParts))
  }
}
