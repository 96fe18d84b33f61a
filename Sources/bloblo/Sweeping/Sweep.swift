import ArgumentParser
import HTTPTransport
import Operator
import Primitives
import Registry
import S3
import Settings
import Store
import System
import Warm

/// Aborts uploads that a killed instance left in the bucket, and removes blobs that the registry no longer has.
struct Sweep: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Abort multipart uploads that were left behind; with --gone, find blobs that the registry no longer has.",
    discussion: """
      Aborts uploads that are older than BLOBLO_SWEEP_AGE (1d) and whose keys BLOBLO_S3_KEY_TEMPLATE can make; \
      it touches no others. `bloblo serve` does the same at its start and once a day. It ends with 1 if S3 refused \
      something.

      With --gone it names the objects whose blobs the registry at BLOBLO_UPSTREAM_URL no longer has, and with \
      --delete too it removes them: objects of that age that no tag's manifests name, and for which each repository \
      answers 404. The credential, --user's or docker's login, must read the catalogue and all repositories; the S3 key \
      must list and delete objects. Don't use it on a bucket of two registries. It ends with 1 when the registry or S3 \
      did not answer for an object, which then stays.

      Example: bloblo sweep --older-than 12h
      Example: bloblo sweep --gone --user cleaner --password-file /etc/bloblo/cleaner
      """)

  @Flag(help: "Find objects whose blobs the registry no longer has, and name them.")
  var gone = false

  @Flag(help: "With --gone: remove them.")
  var delete = false

  @Option(
    name: .customLong("repository"),
    help:
      "With --gone, for a registry without a catalogue: a repository that uses the bucket. Repeat it for each."
  )
  var repositories: [String] = []

  @OptionGroup var login: LoginOption

  @Option(
    help: "How old an upload or object must be, as 30m, 12h or 1d; instead of BLOBLO_SWEEP_AGE.")
  var olderThan: String?

  @OptionGroup var file: EnvironmentFileOption

  func validate() throws {
    if let olderThan, Duration(setting: olderThan) == nil {
      throw ValidationError(
        "--older-than: want a time such as 30m, 12h or 1d, got \"\(olderThan.printable)\"")
    }
    for name in repositories where RepositoryName(name) == nil {
      throw ValidationError(
        "--repository: want a name such as library/debian, got \"\(name.printable)\"")
    }
    guard gone || (!delete && repositories.isEmpty && login.user == nil) else {
      throw ValidationError("--delete, --repository and --user: want --gone too")
    }
  }

  func run() throws {
    let (settings, environment) = try file.toolSettings(over: [Declared.sweepAge.name: olderThan])
    do {
      let isWhole = gone ? try sweepGone(settings, environment) : try sweepUploads(settings)
      if !isWhole { throw ExitCode.failure }
    } catch let error as S3Error {
      complain(["bloblo: \(error). \(error.advice)"])
      throw ExitCode.failure
    } catch let error as WarmError {
      complain(["bloblo: \(error)"])
      throw ExitCode.failure
    }
  }

  private func sweepUploads(_ settings: ToolSettings) throws(S3Error) -> Bool {
    let report = try UploadSweep(
      settings.bucket, settings.location.keyTemplate, olderThan: settings.sweepAge
    ).run(now: .now())
    print(report.summary(olderThan: settings.sweepAge))
    return report.failed == 0
  }

  private func sweepGone(_ settings: ToolSettings, _ environment: [String: String]) throws -> Bool {
    let upstream = settings.location.upstream
    let login = try self.login.logins(environment)(settings.registryHosts + [upstream.url])
    var sweep = GoneSweep(
      settings.bucket, template: settings.location.keyTemplate,
      catalog: RegistryCatalog(
        url: upstream.url, limits: upstream.limits, credential: login?.credential),
      olderThan: settings.sweepAge, isRemoving: delete)
    var http = HTTPClient()
    let names = repositories.compactMap { RepositoryName($0) }
    for candidate in try sweep.candidates(in: names, over: &http) {
      if let line = sweep.judge(candidate, over: &http) { print(line) }
    }
    print(sweep.summary)
    return sweep.report.unknown + sweep.report.failed == 0
  }
}
