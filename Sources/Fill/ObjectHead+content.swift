internal import Hashing
package import Registry
package import S3

extension ObjectHead {
  /// Whether the object's bytes have this digest: by S3's checksum of all bytes, else by the metadata that a fill
  /// writes. `nil` when neither tells.
  package func isContent(of digest: Digest) -> Bool? {
    if digest.algorithm == .sha256, let sha256 {
      return Hex.decode(digest.encoded.span).map { Base64.string($0.span) } == sha256
    }
    guard let name = metadata["bloblo-digest"] else { return nil }
    let written = metadata["bloblo-size"]
    return name == "\(digest)" && (written == nil || written == String(size))
  }

  /// Whether clients can have a blob of this size from the object.
  package func serves(_ digest: Digest, size: Int64) -> Bool {
    size == self.size && !isArchived && isContent(of: digest) != false
  }
}
