import ArgumentParser
import Glibc
import Logging
import Operator
import Primitives
import Registry
import S3
import Settings

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
    let check = SetupCheck(
      environment: environment, front: front, path: try blob.map { try blobPath($0) })
    let status = check.run(&report)
    print(json ? report.json : report.text, terminator: "")
    if status != EX_OK { throw ExitCode(status) }
  }

  private func blobPath(_ text: String) throws -> BlobPath {
    guard let path = BlobPath(reference: text) else {
      throw ValidationError("--blob: want NAME@DIGEST, as library/debian@sha256:…, got \"\(text)\"")
    }
    return path
  }
}
