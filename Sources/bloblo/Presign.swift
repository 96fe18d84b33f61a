import ArgumentParser
import HTTPTransport
import Offload
import Operator
import Primitives
import Store
import System

/// Prints a URL as clients get it.
struct Presign: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a URL that gives a blob from the bucket to anyone who has it.",
    discussion: """
      The URL is a password for BLOBLO_PRESIGN_EXPIRES. Ends with 1 when the bucket has no such blob, or says \
      nothing; the URL is printed only if it would work.

      Example: curl -o layer "$(bloblo presign sha256:…)"
      """)

  @OptionGroup var blob: DigestArgument

  @OptionGroup var file: EnvironmentFileOption

  func run() throws {
    let digest = try blob.value()
    let (settings, _) = try file.toolSettings()
    var http = HTTPClient()
    do {
      // This also learns the bucket's region and S3's time.
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
