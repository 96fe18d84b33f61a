internal import Hashing
internal import S3

/// The sum of a part's bytes as they come.
struct PartSum: ~Copyable {
  private let algorithm: PartChecksum.Algorithm
  private var hash = HashFunction(.sha256)
  private var crc = CRC32C()

  init(_ algorithm: PartChecksum.Algorithm) {
    self.algorithm = algorithm
  }

  mutating func update(_ bytes: Span<UInt8>) {
    switch algorithm {
    case .sha256: hash.update(bytes)
    case .crc32c: crc.update(bytes)
    }
  }

  /// The part is whole; the next one begins.
  mutating func finish() -> PartChecksum {
    switch algorithm {
    case .sha256:
      var whole = HashFunction(.sha256)
      swap(&whole, &hash)
      return PartChecksum(algorithm, whole.finalize())
    case .crc32c:
      defer { crc = CRC32C() }
      return PartChecksum(algorithm, crc.finalize())
    }
  }
}
