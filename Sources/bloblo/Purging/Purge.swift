import ArgumentParser
import Operator
import System

/// Takes a blob out of the bucket, and has the running bloblo forget it.
struct Purge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take a blob out of the bucket at once, and make the running bloblo forget it.",
    discussion: """
      For a layer that holds a secret. First delete the blob in the registry: otherwise the next pull brings it back.

      The bloblo at BLOBLO_LISTEN_ADDR forgets the blob in all locations, and signs no URL for it until those that \
      clients have got have ended. The object is deleted from BLOBLO_S3_BUCKET_NAME; other buckets are named at \
      the end, with all else that the command can't reach. Ends with 1 if the object is still there, or no bloblo \
      was told.

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
