import ArgumentParser
import FastCGI
import Glibc
import Operator
import Primitives
import Registry
import S3
import Settings

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

  @Argument(help: "The blob's digest, sha256:… or sha512:….")
  var digest: String

  @Option(
    name: .customLong("socket"),
    help:
      "Where the running bloblo listens, as unix:/path or host:port; instead of BLOBLO_LISTEN_ADDR."
  )
  var address: String?

  @OptionGroup var file: EnvironmentFileOption

  func validate() throws {
    guard Digest(digest) != nil else {
      throw ValidationError(
        "want a digest, sha256: and 64 lower-case hexadecimal digits, got \"\(digest.printable)\"")
    }
    if let address, ListenAddress(address) == nil {
      throw ValidationError("--socket: want unix:/path or host:port, got \"\(address)\"")
    }
  }

  func run() throws {
    guard let digest = Digest(digest) else { throw ExitCode.validationFailure }
    let (environment, file) = try file.read()
    self.file.announce(file)
    let settings = try ToolSettings(environment)
    let instance = RunningInstance(at: address, environment)
    // Before the object goes: nobody gets a new URL for it meanwhile.
    let isTold = tell(instance, digest)
    let isGone = delete(digest, settings)
    // A fill that ran when it was deleted may have put it back.
    let isStillGone = isGone && (!isTold || waitForFills(instance, of: digest, settings: settings))
    let answer = isTold ? try? instance.forget(digest) : nil
    for line in (answer ?? .none).linesOfWhatIsLeft(beside: settings.location.bucket) {
      print(line)
    }
    if !isTold || !isStillGone { throw ExitCode.failure }
  }

  private func tell(_ instance: RunningInstance, _ digest: Digest) -> Bool {
    do {
      let answer = try instance.forget(digest)
      print(
        "bloblo at \(instance.address) has forgotten it, and signs no URL for it for \(answer.heldSeconds) s"
      )
      return true
    } catch {
      complain([
        "bloblo: no bloblo was told at \(instance.address): \(error). If one runs elsewhere, name it by --socket; "
          + "it may give out URLs from memory."
      ])
      return false
    }
  }

  private func delete(_ digest: Digest, _ settings: ToolSettings) -> Bool {
    do throws(S3Error) {
      for line in try PurgedObject(digest, from: settings.store).lines { print(line) }
      return true
    } catch {
      complain(["bloblo: not deleted: \(error). \(error.advice)"])
      return false
    }
  }

  /// - Returns: whether the object is gone for good.
  private func waitForFills(
    _ instance: RunningInstance, of digest: Digest, settings: ToolSettings
  ) -> Bool {
    var hasWaited = false
    while let answer = try? instance.forget(digest), answer.fills > 0 {
      if !hasWaited {
        print("a fill of it runs: waiting for its end, to delete what it puts there")
      }
      hasWaited = true
      usleep(500_000)
    }
    return hasWaited ? delete(digest, settings) : true
  }
}
