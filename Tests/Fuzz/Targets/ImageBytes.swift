import HTTPTransport
import Registry

@testable import Warm

/// What a person calls an image, on the command line of `warm`.
func readImageReference(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard let reference = ImageReference(String(decoding: bytes, as: UTF8.self)) else { return }
  try hold(
    ImageReference(reference.description) == reference, "a reference is shown as it is written")
  let url = "\(reference.host ?? "")/\(reference.name)/\(reference.target)"
  try hold(
    url.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"?#%".utf8.contains($0) },
    "a reference can stand in a URL")
}

/// A registry's index or manifest.
func readImageDocument(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard let document = try? ImageDocument(parsing: bytes) else { return }
  let parts = [document.config].compactMap { $0 } + (document.layers ?? [])
  let report = WarmReport(isTerminal: true)
  report.add(image: "any", parts.compactMap { try? ImageBlob($0) })
  for part in parts {
    guard let blob = try? ImageBlob(part) else { continue }
    try hold((0...BlobProof.largestSize).contains(blob.size), "a size can be added up")
  }
}

/// `WWW-Authenticate`.
func readChallenge(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard let challenge = AuthChallenge(String(decoding: bytes, as: UTF8.self)) else { return }
  try hold(
    !challenge.scheme.isEmpty && challenge.scheme == challenge.scheme.lowercased(),
    "a scheme is in lower case")
  try hold(
    challenge.parameters.keys.allSatisfy { !$0.isEmpty && $0 == $0.lowercased() },
    "parameters have names in lower case")
}
