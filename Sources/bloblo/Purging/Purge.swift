import ArgumentParser
import Operator
import System

/// Removes a blob from the bucket, and makes the running bloblo forget it.
struct Purge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove a blob from the bucket at once, and make the running bloblo forget it.",
    discussion: """
      For a layer that holds a secret. First delete the blob in the registry: otherwise the next pull brings it back.

      The bloblo at BLOBLO_LISTEN_ADDR forgets the blob in all locations, and signs no URL for it until the URLs that \
      clients have are expired. The command deletes the object from BLOBLO_S3_BUCKET_NAME, and names what it can't \
      reach, such as other buckets. It ends with 1 if the object is still there, or no bloblo answered.

      Example: bloblo purge sha256:…
      """)

  @OptionGroup var blob: DigestArgument
  @OptionGroup var running: SocketOption
  @OptionGroup var file: EnvironmentFileOption

  func run() throws {
    let (settings, environment) = try file.toolSettings()
    let purge = BlobPurge(
      try blob.value(), from: settings.store, told: running.instance(environment)
    ) { line in
      switch line {
      case .result(let text): print(text)
      case .problem(let text): complain(["bloblo: \(text)"])
      }
    }
    if !purge.run() { throw ExitCode.failure }
  }
}
