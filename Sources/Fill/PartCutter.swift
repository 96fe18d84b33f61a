internal import Hashing
internal import S3

/// A part of a blob: where it stands in the spool, and the sum of its bytes.
struct BlobPart: Sendable {
  /// From 1.
  let number: Int
  let offset: Int64
  let count: Int64
  let checksum: PartChecksum
}

/// Cuts the bytes that come in parts, and hands each on when it is whole.
final class PartCutter {
  private let partBytes: Int64
  private let size: Int64
  private let take: (BlobPart) -> Void
  private var sum: PartSum
  private var number = 1
  private var offset: Int64 = 0
  private var count: Int64 = 0

  /// - Parameter size: of the whole blob; its last part may be short.
  init(
    size: Int64, partBytes: Int64, _ algorithm: PartChecksum.Algorithm,
    _ take: @escaping (BlobPart) -> Void
  ) {
    sum = PartSum(algorithm)
    self.size = size
    self.partBytes = partBytes
    self.take = take
  }

  func append(_ bytes: Span<UInt8>) {
    var at = 0
    while at < bytes.count {
      let end = min(bytes.count, at + Int(partBytes - count))
      sum.update(bytes.extracting(at..<end))
      count += Int64(end - at)
      at = end
      if count == partBytes || offset + count == size { cut() }
    }
  }

  private func cut() {
    take(BlobPart(number: number, offset: offset, count: count, checksum: sum.finish()))
    number += 1
    offset += count
    count = 0
  }
}
