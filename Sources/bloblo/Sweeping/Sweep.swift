import ArgumentParser
import Glibc
import Primitives
import S3
import Settings
import Store

/// Clears what a killed instance left in the bucket.
struct Sweep: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Abort multipart uploads that were left behind.",
    discussion: """
      Aborts uploads that are older than BLOBLO_SWEEP_AGE (1d) and whose keys BLOBLO_S3_KEY_TEMPLATE can make; \
      others are not touched. `bloblo serve` does the same at its start and once a day. Ends with 1 if S3 refused \
      something.

      Example: bloblo sweep --older-than 12h
      """)

  @Option(help: "How old an upload must be, as 30m, 12h or 1d; instead of BLOBLO_SWEEP_AGE.")
  var olderThan: String?

  @OptionGroup var file: EnvironmentFileOption

  func validate() throws {
    if let olderThan, Duration(setting: olderThan) == nil {
      throw ValidationError(
        "--older-than: want a time such as 30m, 12h or 1d, got \"\(olderThan.printable)\"")
    }
  }

  func run() throws {
    var (environment, file) = try file.read()
    self.file.announce(file)
    if let olderThan { environment[Declared.sweepAge.name] = olderThan }
    let settings = try ToolSettings(environment)
    do {
      let report = try UploadSweep(
        settings.bucket, settings.location.keyTemplate, olderThan: settings.sweepAge
      ).run(now: .now())
      print(
        "\(report.aborted) aborted, \(report.failed) failed, \(report.young) younger than "
          + "\(settings.sweepAge.short), \(report.foreign) not ours")
      if report.failed > 0 { throw ExitCode.failure }
    } catch let error as S3Error {
      complain(["bloblo: \(error)"])
      throw ExitCode.failure
    }
  }
}
