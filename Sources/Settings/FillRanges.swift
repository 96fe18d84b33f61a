/// Whether a range of a cold blob queues a fill: `BLOBLO_FILL_RANGES`.
///
/// A lazy snapshotter wants some KiB of a layer of many GiB, and never the rest.
package enum FillRanges: Sendable, Equatable {
  case off
  /// Only blobs of up to this many bytes.
  case upTo(Int64)

  static let on = FillRanges.upTo(.max)

  /// - Parameter size: `nil` when it is unknown; then only `on` allows it.
  package func allows(_ size: Int64?) -> Bool {
    switch self {
    case .off: false
    case .upTo(let limit): (size ?? .max) <= limit
    }
  }
}

extension FillRanges {
  /// `on`, `off`, or the size of the largest blob.
  init?(_ text: String) {
    switch text {
    case "on": self = .on
    case "off": self = .off
    default:
      guard let limit = readByteCount(text) else { return nil }
      self = .upTo(limit)
    }
  }
}
