import ArgumentParser
import HTTPTransport
import Offload
import Primitives
import Registry
import Store

/// Prints a URL as clients get it.
struct Presign: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a URL that gives a blob from the bucket to whoever has it.",
    discussion: """
      The URL is a password for BLOBLO_PRESIGN_EXPIRES. Ends with 1 when the bucket has no such blob, or says \
      nothing; the URL is printed only if it would work.

      Example: curl -o layer "$(bloblo presign sha256:…)"
      """)

  @Argument(help: "The blob's digest, sha256:… or sha512:….")
  var digest: String

  @OptionGroup var file: EnvironmentFileOption

  func validate() throws {
    guard Digest(digest) != nil else {
      throw ValidationError(
        "want a digest, sha256: and 64 lower-case hexadecimal digits, got \"\(digest.printable)\"")
    }
  }

  func run() throws {
    guard let digest = Digest(digest) else { throw ExitCode.validationFailure }
    let (environment, file) = try file.read()
    self.file.announce(file)
    let settings = try ToolSettings(environment)
    var http = HTTPClient()
    do {
      // Also to learn the bucket's region and S3's time.
      guard try settings.store.find(digest, by: &http, now: .now()) != nil else {
        complain(["bloblo: the bucket has no blob \(digest)"])
        throw ExitCode.failure
      }
      print(
        String(decoding: try settings.store.presign(digest, now: Moment.now()).bytes, as: UTF8.self)
      )
    } catch let error as BlobStoreError {
      complain(["bloblo: \(error)"])
      throw ExitCode.failure
    }
  }
}
