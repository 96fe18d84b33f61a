import ArgumentParser
import Fill
import Glibc
import Operator
import Registry
import S3
import Settings
import Warm

/// Fills the bucket before clients ask.
struct Warm: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put the blobs of images into the bucket.",
    discussion: """
      Walks each image (index, manifests, configuration, layers) with the credentials of the docker configuration \
      (DOCKER_CONFIG, ~/.docker/config.json), and fills what the bucket lacks, as a client's pull would. An image \
      without a host, or with one of BLOBLO_REGISTRY_HOST, is looked for at BLOBLO_UPSTREAM_URL; one without a \
      host by the login at the first of these. Ends with 1 if anything failed.

      Example: bloblo warm --platform linux/amd64 registry.example.com/team/app:1.2
      """)

  @Argument(help: "host[:port]/name[:tag][@digest]; several may be given.")
  var images: [String]

  @Option(help: "Only os/architecture[/variant] of an index; may be repeated. All, otherwise.")
  var platform: [String] = []

  @Option(help: "Ask this registry, http://… or https://…, whatever host the images name.")
  var registry: String?

  @Flag(help: "Use http for hosts other than the loopback.")
  var plainHttp = false

  @Option(help: "How many blobs to fill at a time.")
  var parallel = 4

  @OptionGroup var file: EnvironmentFileOption

  func validate() throws {
    for image in images where ImageReference(image) == nil {
      throw ValidationError("\(image): want host[:port]/name[:tag][@digest]")
    }
    for text in platform where Platform(text) == nil {
      throw ValidationError("--platform \(text): want os/architecture or os/architecture/variant")
    }
    guard (1...64).contains(parallel) else { throw ValidationError("--parallel: want 1 to 64") }
    if let registry, (try? Endpoint(registry)) == nil {
      throw ValidationError("--registry: want http:// or https:// and a host")
    }
  }

  func run() throws {
    let (settings, environment) = try file.toolSettings(over: [Declared.upstreamURL.name: registry])
    var limits = settings.fillLimits
    limits.fills = parallel
    let upstream = settings.location.upstream
    let report = WarmReport(isTerminal: isatty(STDERR_FILENO) == 1)
    let warmer = ImageWarmer(
      RegistryChoice(
        url: upstream.url, names: settings.registryHosts, isForAllImages: registry != nil,
        isPlainHTTP: plainHttp, limits: upstream.limits,
        followedHosts: settings.location.followedHosts,
        docker: DockerConfiguration(environment: environment)),
      by: BlobWarmer(settings.store, by: Filler(limits, observer: WarmObserver(report)), report),
      report: report, platforms: platform.compactMap(Platform.init), threads: parallel)
    warmer.warm(images.compactMap(ImageReference.init))
    report.finish()
    if report.hasFailures { throw ExitCode.failure }
  }
}
