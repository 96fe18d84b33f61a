import ArgumentParser
import Glibc
import HTTPTransport
import Logging
import Operator
import Primitives
import Registry
import S3
import Settings
import System
import Warm

/// Checks a set-up, and says what is wrong and what to do.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a set-up: show what is wrong, and what to do.",
    discussion: """
      Reads the same settings as `serve`: run it as the same user, in the same environment. Puts a probe object \
      of 64 bytes into the bucket, under the key of its own digest, and removes it.

      A registry that wants a credential gets the one of --user, or else docker's login (DOCKER_CONFIG, \
      ~/.docker/config.json) for the host of --front, of BLOBLO_REGISTRY_HOST or of BLOBLO_UPSTREAM_URL. \
      BLOBLO_CHECK_AUTHORIZATION is sent as it is, such as "Bearer …".

      Exit status: 0 when nothing FAILs, 1 when something does: then pulls would fail, or nothing would be \
      offloaded. 78 when the settings are wrong. The last line has the sum.

      Example: bloblo check --front https://registry.example.com --user me <password.txt
      """)

  @Flag(help: "Print a JSON object on each line, with level, subject, finding and advice.")
  var json = false

  @Option(help: "A blob to ask for: NAME@DIGEST, as library/debian@sha256:….")
  var blob: String?

  @Option(help: "The web server as clients see it, as https://registry.example.com.")
  var front: String?

  @Option(
    help:
      "A PEM file of the authorities to trust for --front and a token server; BLOBLO_UPSTREAM_CA_FILE and BLOBLO_S3_CA_FILE are for registry and S3."
  )
  var caFile: String?

  @OptionGroup var login: LoginOption

  @Option(help: "A file with the output of `nginx -T`, or - for standard input: do guards hold?")
  var nginx: String?

  func validate() throws {
    if let caFile, unsafe access(caFile, R_OK) != 0 {
      throw ValidationError(
        "--ca-file \(caFile.printable): can't be read: \(systemWords(for: errno))")
    }
    if let blob { _ = try blobPath(blob) }
    if let front, (try? Endpoint(front)) == nil {
      throw ValidationError(
        "--front: want http:// or https:// and a host, got \"\(front.printable)\"")
    }
  }

  @OptionGroup var file: EnvironmentFileOption

  func run() throws {
    let (environment, file) = try file.read()
    let login = try login.logins(environment)
    var report = CheckReport()
    if let file { report.ok("settings.file", file.path) }
    if let nginx { NginxCheck.run(file: nginx, &report) }
    var http = HTTPClient()
    let check = SetupCheck(
      environment: environment, front: front, path: try blob.map { try blobPath($0) },
      caFile: caFile)
    let status = check.run(&report, &http) { registry, path, hosts, report, http in
      guard let login = login(hosts) else { return nil }
      do throws(WarmError) {
        let authorization = try login.authorization(
          at: registry, for: path, caFile: caFile, over: &http)
        report.ok("login", login.words)
        return authorization
      } catch {
        report.fail("login", "\(login.words): \(error)", advice: "is the password right?")
        return nil
      }
    }
    report.sum()
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
