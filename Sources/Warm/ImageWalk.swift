package import HTTPTransport
internal import Hashing
package import Registry

/// Finds all blobs of an image: from its index, if it has one, to the manifests, to what they name.
package struct ImageWalk {
  /// The deepest nesting of indices.
  private static let depthLimit = 4
  /// No image has more manifests: an index of all platforms and their attestations has some dozens.
  private static let manifestLimit = 1000

  private let session: RegistrySession
  private let platforms: [Platform]
  private var seen: Set<String> = []
  /// Manifests that were asked for, each once.
  private var visited: Set<String> = []
  private var isOverLimit = false
  /// Each once, in the order of the image.
  package private(set) var blobs: [ImageBlob] = []
  /// Manifests that an index names and that could not be read. The walk goes on without them.
  package private(set) var failures: [(manifest: String, error: WarmError)] = []

  /// - Parameter platforms: those of an index that are wanted; none is all.
  package init(_ session: RegistrySession, platforms: [Platform]) {
    self.session = session
    self.platforms = platforms
  }

  package mutating func run(over http: inout HTTPClient) throws(WarmError) {
    try visit(session.reference.target, digest: session.reference.digest, depth: 0, over: &http)
  }

  private mutating func visit(
    _ target: String, digest: Digest?, depth: Int, over http: inout HTTPClient
  ) throws(WarmError) {
    guard depth < Self.depthLimit else { throw WarmError("indices within indices, too deep") }
    let body = try session.manifest(target, over: &http)
    if let digest { try check(body, digest) }
    let document = try ImageDocument(parsing: body)
    for descriptor in [document.config].compactMap({ $0 }) + (document.layers ?? []) {
      let blob = try ImageBlob(descriptor)
      if seen.insert(descriptor.digest).inserted { blobs.append(blob) }
    }
    guard let manifests = document.manifests else { return }
    let wanted = manifests.filter(isWanted)
    guard !wanted.isEmpty || manifests.isEmpty else {
      throw WarmError("none of the image's platforms is wanted")
    }
    for manifest in wanted where visited.insert(manifest.digest).inserted {
      do throws(WarmError) {
        guard visited.count <= Self.manifestLimit else {
          if isOverLimit { return }
          isOverLimit = true
          throw WarmError("more than \(Self.manifestLimit) manifests; the rest is left out")
        }
        guard let digest = Digest(manifest.digest) else { throw WarmError("not a digest") }
        try visit(manifest.digest, digest: digest, depth: depth + 1, over: &http)
      } catch {
        failures.append((manifest.digest, error))
      }
    }
  }

  private func isWanted(_ descriptor: ImageDocument.Descriptor) -> Bool {
    guard !platforms.isEmpty else { return true }
    guard let platform = descriptor.platform else { return false }
    let has = Platform(
      os: platform.os, architecture: platform.architecture, variant: platform.variant)
    return platforms.contains { $0.matches(has) }
  }

  private func check(_ body: [UInt8], _ digest: Digest) throws(WarmError) {
    var hash = HashFunction(digest.algorithm)
    hash.update(body.span)
    let encoded = Hex.encode(hash.finalize().span)
    guard encoded == digest.encoded else {
      throw WarmError("a manifest that is not \(digest)")
    }
  }
}
