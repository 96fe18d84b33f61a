import ArgumentParser
import Primitives
import Registry

/// The digest argument of a command about one blob.
struct DigestArgument: ParsableArguments {
  @Argument(help: "The blob's digest, sha256:… or sha512:….")
  var digest: String

  func validate() throws { _ = try value() }

  func value() throws -> Digest {
    guard let value = Digest(digest) else {
      throw ValidationError(
        "want a digest, sha256: and 64 lower-case hexadecimal digits, got \"\(digest.printable)\"")
    }
    return value
  }
}
