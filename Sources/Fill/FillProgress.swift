package import Registry
package import Threading

/// How far a fill has come.
package struct FillProgress: Sendable {
  package let digest: Digest
  /// In bytes; `nil` until upstream has told it.
  package let size: Int64?
  /// Bytes that have come from upstream.
  package let written: Int64
  /// Clients that read along.
  package let followers: Int
  /// Whether it waits for its turn.
  package let isWaiting: Bool
}

extension Filler {
  /// The fills that run or wait, the largest first.
  package var progress: [FillProgress] {
    table.all.map(\.progress).sorted { ($0.size ?? 0) > ($1.size ?? 0) }
  }

  /// Bytes of the spool that are in use, of those that may be.
  package var spoolBytes: (used: Int64, limit: Int64) { (budget.usedBytes, limits.spoolBytes) }

  package var spoolFolder: String { limits.spoolFolder }

  package var readerLoad: ThreadPoolLoad { readers.load }
  package var hasherLoad: ThreadPoolLoad { hashers.load }
  package var uploaderLoad: ThreadPoolLoad { uploaders.load }
}
