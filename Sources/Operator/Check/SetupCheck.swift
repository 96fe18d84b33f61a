internal import FastCGI
internal import Fill
internal import Gateway
internal import Glibc
internal import HTTPTransport
package import Registry
internal import Settings
internal import Store
internal import Telemetry

/// All that `bloblo check` looks at, in the order in which a request needs it.
package struct SetupCheck {
  private let environment: [String: String]
  private let front: String?
  private let path: BlobPath?

  /// - Parameters:
  ///   - front: the web server as clients see it.
  ///   - path: of a blob to ask for.
  package init(environment: [String: String], front: String?, path: BlobPath?) {
    self.environment = environment
    self.front = front
    self.path = path
  }

  /// - Returns: the command's exit status.
  package func run(_ report: inout CheckReport) -> Int32 {
    let settings: ProcessSettings
    do {
      settings = try ProcessSettings(environment: environment)
    } catch {
      for problem in error.problems {
        report.fail("settings", problem, "docs/settings.md explains each setting")
      }
      let problems = credentialProblems(environment, beside: error)
      if !problems.isEmpty {
        report.fail("credentials", problems.joined(separator: "; "), CredentialCheck.advice)
      }
      return EX_CONFIG
    }
    for warning in settings.warnings {
      report.warn("settings", warning, "correct the setting, or remove it")
    }
    if !settings.isBucketNamed {
      report.warn("bucket.name", "no bucket is named", Notice.sampleBucketAdvice)
    }
    if environment[Declared.listenAddress.name] != nil, case .tcp(_, _) = settings.listenAddress {
      report.warn(
        "listen", "bloblo listens on TCP", Notice.tcpAdvice(settings.listenAddress))
    }
    if settings.warnings.isEmpty { report.ok("settings", "understood") }
    Capacity.raiseDescriptorLimit()
    let capacity = Capacity()
    let narrow =
      capacity.ofThisProcess(upstreamConnections: settings.upstreamConnections)
      + (front == nil ? [] : capacity.ofNginx())
    for finding in narrow { report.warn(finding.subject, finding.words, finding.advice) }

    if settings.location.fill != .off {
      // A sentence of what is so, and those of what to do.
      let spool = Verdict.ofSpool(settings.fillLimits.spoolFolder)
      if spool.state == .good {
        report.ok("spool", spool.sentence)
      } else {
        report.fail("spool", spool.sentence, "make room there: fills fail until then")
      }
    }

    var http = HTTPClient()
    let location = settings.location
    let credentials = SigningCredentials(settings.credentials)
    let store = location.store(credentials, clock: credentials.clock)
    if CredentialCheck(credentials, presignLifetime: location.presignLifetime).run(&report) {
      BucketCheck(store, location).run(&report, &http)
    }
    let authorization = environment[Declared.checkAuthorization.name]
    let hosts = clientsNames(ofRegistryIn: settings, front: front)
    SameHostCheck(location, registryHosts: hosts).run(&report)
    UpstreamCheck(
      location, store, path, authorization: authorization, front: front,
      spool: settings.fillLimits.spoolBytes
    ).run(&report, &http)
    AddressCheck(
      upstream: location.upstream, identity: settings.proofIdentity, path: path,
      client: ClientFields(authorization.map { [HTTPField("Authorization", $0)] } ?? [])
    ).run(&report, &http)
    if let front {
      FrontCheck(
        front, path, authorization: authorization, before: location.upstream,
        longestURL: LongestURL(store)
      ).run(&report, &http)
    }
    return report.hasFailed ? EXIT_FAILURE : EX_OK
  }
}
