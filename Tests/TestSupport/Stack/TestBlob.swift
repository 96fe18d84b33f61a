package import Hashing
package import Registry

/// Bytes that no registry has yet, and their digest.
package struct TestBlob: Sendable {
  package let bytes: [UInt8]
  package let digest: Digest

  package init(_ bytes: [UInt8], _ algorithm: DigestAlgorithm = .sha256) {
    self.bytes = bytes
    digest = Digest("\(algorithm.rawValue):\(hexDigest(bytes, algorithm))")!
  }

  /// Random bytes.
  package init(count: Int, _ algorithm: DigestAlgorithm = .sha256) {
    var generator = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
      var word = generator.next()
      for _ in 0..<8 {
        bytes.append(UInt8(truncatingIfNeeded: word))
        word >>= 8
      }
    }
    bytes.removeLast(bytes.count - count)
    self.init(bytes, algorithm)
  }

  package var key: String { "\(digest)" }

  /// `/v2/<name>/blobs/<digest>`.
  package func path(in repository: String) -> String { "/v2/\(repository)/blobs/\(digest)" }
}

package func hexDigest(_ bytes: [UInt8], _ algorithm: DigestAlgorithm = .sha256) -> String {
  var hash = HashFunction(algorithm)
  hash.update(bytes.span)
  return Hex.string(hash.finalize().span)
}
