import ArgumentParser
import FastCGI
import Fill
import Gateway
import Glibc
import HTTPTransport
import Logging
import Operator
import Primitives
import Registry
import S3
import Settings
import Store
import Telemetry

/// Says what is right and wrong in a set-up.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what is right and wrong in a set-up, and what to do.",
    discussion: """
      Reads the same settings as `serve`: run it as the same user, in the same environment. Puts a probe object \
      of 64 bytes into the bucket, under the key of its own digest, and removes it.

      A registry that wants a credential gets the value of BLOBLO_CHECK_AUTHORIZATION, such as "Basic …".

      Exit status: 0 when nothing FAILs, 1 when something does, 78 when the settings are wrong.

      Example: bloblo check --front https://registry.example.com
      """)

  @Flag(help: "A JSON object a line, with level, subject, finding and advice.")
  var json = false

  @Option(help: "A blob to ask for: NAME@DIGEST, as library/debian@sha256:….")
  var blob: String?

  @Option(help: "The web server as clients see it, as https://registry.example.com.")
  var front: String?

  func validate() throws {
    if let blob { _ = try blobPath(blob) }
    if let front, (try? Endpoint(front)) == nil {
      throw ValidationError(
        "--front: want http:// or https:// and a host, got \"\(front.printable)\"")
    }
  }

  @OptionGroup var file: EnvironmentFileOption

  func run() throws {
    let (environment, file) = try file.read()
    var report = CheckReport()
    if let file { report.ok("settings.file", file.path) }
    let status = try check(environment, &report)
    print(json ? report.json : report.text, terminator: "")
    if status != EX_OK { throw ExitCode(status) }
  }

  private func check(
    _ environment: [String: String], _ report: inout CheckReport
  ) throws -> Int32 {
    let path = try blob.map { try blobPath($0) }
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
    if environment["BLOBLO_LISTEN_ADDR"] != nil, case .tcp(_, _) = settings.listenAddress {
      report.warn(
        "listen", "bloblo listens on TCP", Notice.tcpAdvice(settings.listenAddress))
    }
    if settings.warnings.isEmpty { report.ok("settings", "understood") }

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
    let authorization = environment["BLOBLO_CHECK_AUTHORIZATION"]
    let hosts = clientsNames(ofRegistryIn: settings, front: front)
    SameHostCheck(location, registryHosts: hosts).run(&report)
    UpstreamCheck(location, store, path, authorization: authorization, front: front)
      .run(&report, &http)
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

  private func blobPath(_ text: String) throws -> BlobPath {
    let parts = text.split(separator: "@", maxSplits: 1).map { String($0) }
    guard parts.count == 2, let name = RepositoryName(parts[0]), let digest = Digest(parts[1])
    else {
      throw ValidationError("--blob: want NAME@DIGEST, as library/debian@sha256:…, got \"\(text)\"")
    }
    return BlobPath(name: name, digest: digest)
  }
}
