internal import Primitives
package import Registry
internal import System

/// Why a blob did not come into the bucket.
package enum FillError: Error, Sendable, Equatable {
  /// A system call on the spool failed: what was done, and errno.
  case spool(String, Int32)
  /// The spool's budget has no room for a blob of this size.
  case noRoom(Int64)
  /// It waited in the queue for so long that its credential is no longer kept.
  case stale
  /// Upstream's answer is not the whole blob.
  case upstream(String)
  /// The registry redirects to where a fill may not follow.
  case notFollowed(FollowedHosts.Refusal)
  /// Upstream broke off: want, got.
  case short(Int64, Int64)
  case long(Int64)
  case wrongDigest(want: String, got: String)
  case store(String)
  /// The program stops.
  case stopping
}

extension FillError {
  /// Who reads along must know how much there is to read.
  static let sizeless = FillError.upstream("states no size; the blob is read for the bucket alone")
}

extension FillError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .spool(let doing, let code): "spool: \(doing): \(systemWords(for: code))"
    case .noRoom(let bytes): "spool: no room for \(bytes) bytes below BLOBLO_SPOOL_MAX_BYTES"
    case .stale: "waited too long in the queue"
    case .upstream(let words): "registry: \(words)"
    case .notFollowed(let refusal): "registry: \(refusal)"
    case .short(let want, let got): "short body: want \(want) bytes, got \(got)"
    case .long(let want): "long body: want \(want) bytes, got more"
    case .wrongDigest(let want, let got): "digest mismatch: want \(want), got \(got)"
    case .store(let words): "s3: \(words)"
    case .stopping: "bloblo stops"
    }
  }
}
