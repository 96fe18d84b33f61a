internal import Primitives

/// The path of a blob: `/v2/<name>/blobs/<digest>`.
///
/// Source: OCI distribution-spec, end-2.
package struct BlobPath: Hashable, Sendable {
  package let name: RepositoryName
  package let digest: Digest

  package init(name: RepositoryName, digest: Digest) {
    self.name = name
    self.digest = digest
  }

  /// Reads `NAME@DIGEST`, as people write it.
  package init?(reference: String) {
    let parts = reference.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
      .map { String($0) }
    guard parts.count == 2, let name = RepositoryName(parts[0]), let digest = Digest(parts[1])
    else { return nil }
    self.init(name: name, digest: digest)
  }

  /// Reads a request's target as it was sent, before any decoding.
  ///
  /// The query is dropped: containerd adds `?ns=`, and nothing of it may become part of a key. A path
  /// that is not plain (an encoded byte, an empty or dotted segment) is no blob path: web servers match
  /// the path they have normalised, so such requests do come here.
  ///
  /// - Returns: `nil` for anything that is not a blob's plain path.
  package init?(requestTarget target: Span<UInt8>) {
    let path = target.extracting(0..<(target.firstIndex(of: UInt8(ascii: "?")) ?? target.count))
    guard path.begins(with: "/v2/"), let digestSlash = Self.digestSlash(of: path),
      path.holds("/blobs/", at: digestSlash - 6),
      let digest = Digest(path.extracting((digestSlash + 1)...)),
      let name = RepositoryName(path.extracting(4..<(digestSlash - 6)))
    else { return nil }
    self.name = name
    self.digest = digest
  }

  /// Where the slash before the digest is: no digest has one.
  private static func digestSlash(of path: Span<UInt8>) -> Int? {
    let lengths = Digest.lengths
    for i in lengths.indices {
      let slash = path.count - lengths[i] - 1
      if slash >= 10, path[slash] == UInt8(ascii: "/") { return slash }
    }
    return nil
  }

  /// As it is asked for upstream.
  package var bytes: [UInt8] { bytes(behind: "") }

  /// The same behind the registry's URL.
  func bytes(behind url: String) -> [UInt8] {
    var path: [UInt8] = []
    path.reserveCapacity(url.utf8.count + 11 + name.bytes.count + digest.bytes.count)
    path.append(contentsOf: url.utf8)
    path.append(contentsOf: "/v2/".utf8)
    path.append(contentsOf: name.bytes)
    path.append(contentsOf: "/blobs/".utf8)
    path.append(contentsOf: digest.bytes)
    return path
  }
}
