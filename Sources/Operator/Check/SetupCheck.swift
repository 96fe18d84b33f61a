internal import FastCGI
internal import Fill
internal import Gateway
internal import Glibc
package import HTTPTransport
internal import Offload
package import Registry
internal import Settings
internal import Store
internal import Telemetry

/// All checks of `bloblo check`, in the order in which a request needs things.
package struct SetupCheck {
  private let environment: [String: String]
  private let front: String?
  private let path: BlobPath?
  private let caFile: String?

  /// Logs in at the registry, for a ping or a blob, with the login for one of these hosts. Returns the client's
  /// `Authorization`, or `nil`.
  package typealias Login = (
    UpstreamRegistry, BlobPath?, _ hosts: [String], inout CheckReport, inout HTTPClient
  ) -> String?

  /// - Parameters:
  ///   - front: the web server as clients see it.
  ///   - path: of a blob to ask for.
  ///   - caFile: that the web server is trusted by, instead of the system's.
  package init(
    environment: [String: String], front: String?, path: BlobPath?, caFile: String?
  ) {
    self.environment = environment
    self.front = front
    self.path = path
    self.caFile = caFile
  }

  /// - Returns: the command's exit status.
  package func run(
    _ report: inout CheckReport, _ http: inout HTTPClient, logIn: Login
  ) -> Int32 {
    let settings: ProcessSettings
    do {
      settings = try ProcessSettings(environment: environment)
    } catch {
      for problem in error.problems {
        report.fail("settings", problem, advice: "docs/settings.md explains each setting")
      }
      let problems = credentialProblems(environment, beside: error)
      if !problems.isEmpty {
        report.fail("credentials", problems.joined(separator: "; "), advice: CredentialCheck.advice)
      }
      return EX_CONFIG
    }
    for warning in settings.warnings {
      report.warn("settings", warning, advice: "correct the setting, or remove it")
    }
    if !settings.isBucketNamed {
      report.warn("bucket.name", "no bucket is named", advice: Notice.sampleBucketAdvice)
    }
    if environment[Declared.listenAddress.name] != nil, case .tcp(_, _) = settings.listenAddress {
      report.warn(
        "listen", "bloblo listens on TCP", advice: Notice.tcpAdvice(settings.listenAddress))
    }
    if settings.warnings.isEmpty { report.ok("settings", "understood") }
    Capacity.raiseDescriptorLimit()
    let capacity = Capacity()
    let narrow =
      capacity.ofThisProcess(upstreamConnections: settings.upstreamConnections)
      + (front == nil ? [] : capacity.ofNginx())
    for finding in narrow { report.warn(finding.subject, finding.words, advice: finding.advice) }
    let isOffloading = tellDelivery(settings, &report)

    if settings.location.fill != .off {
      // The first sentence is the finding, the rest the advice.
      let spool = HealthStatus.ofSpool(settings.fillLimits.spoolFolder)
      if spool.state == .good {
        report.ok("spool", spool.sentence)
      } else {
        report.fail("spool", spool.sentence, advice: "correct that: fills fail until then")
      }
    }

    let location = settings.location
    let credentials = SigningCredentials(settings.credentials)
    let store = location.store(credentials, clock: credentials.clock)
    var isSecondCredentialRefused = false
    if CredentialCheck(credentials, presignLifetime: location.presignLifetime).run(&report) {
      isSecondCredentialRefused = BucketCheck(store, location).run(&report, &http)
    }
    let hosts = clientsNames(ofRegistryIn: settings, front: front)
    SameHostCheck(location, registryHosts: hosts)
      .run(&report, isSecondCredentialRefused: isSecondCredentialRefused)
    let authorization =
      environment[Declared.checkAuthorization.name]
      ?? logIn(location.upstream, path, [front].compactMap { $0 } + hosts, &report, &http)
    let isRedirectable = UpstreamCheck(
      location, store: store, path: path, authorization: authorization, front: front,
      spool: settings.fillLimits.spoolBytes
    ).run(&report, &http)
    AddressCheck(
      upstream: location.upstream, identity: settings.proofIdentity, path: path,
      client: ClientFields(authorization.map { [HTTPField("Authorization", $0)] } ?? [])
    ).run(&report, &http)
    if let front {
      FrontCheck(
        front, path, authorization: authorization, before: location.upstream,
        longestURL: LongestURL(store), caFile: caFile,
        isRedirectExpected: isOffloading && isRedirectable
      ).run(&report, &http)
    }
    return report.hasFailed ? EXIT_FAILURE : EX_OK
  }

  /// - Returns: whether blobs are offloaded at all.
  private func tellDelivery(_ settings: ProcessSettings, _ report: inout CheckReport) -> Bool {
    if unsafe access(settings.passFile, F_OK) == 0 {
      report.fail(
        "delivery", "offloading is switched off: \(settings.passFile) exists",
        advice: "bloblo offload on")
      return false
    }
    guard settings.location.policy.delivery == .pass else { return true }
    report.fail(
      "delivery", "BLOBLO_DELIVERY=pass: the registry answers every blob",
      advice:
        "set BLOBLO_DELIVERY=redirect or accelerate; a location of the web server may do so by a param"
    )
    return false
  }
}
