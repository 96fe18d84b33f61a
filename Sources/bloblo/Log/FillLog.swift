import Fill
import Logging
import Registry

/// Tells the log what becomes of fills.
struct FillLog: FillObserver {
  let logger: Logger

  func published(_ digest: Digest, size: Int64, after time: Duration) {
    logger.info(
      "filled",
      metadata: [
        "blob.digest": "\(digest)", "blob.size": "\(size)", "fill.seconds": "\(time.seconds)",
      ])
  }

  func found(_ digest: Digest, size: Int64) {
    logger.info(
      "not filled: another instance was first",
      metadata: ["blob.digest": "\(digest)", "blob.size": "\(size)"])
  }

  func failed(_ digest: Digest, _ error: FillError) {
    // What upstream answers is upstream's affair, and a wrong digest is for someone to look at.
    let level: Logger.Level =
      switch error {
      case .wrongDigest: .error
      case .noRoom, .stale, .stopping: .info
      default: .warning
      }
    logger.log(
      level: level, "not filled", metadata: ["blob.digest": "\(digest)", "reason": "\(error)"])
  }

  func leftUpload(of digest: Digest, _ error: FillError) {
    logger.warning(
      "multipart upload left in the bucket: a lifecycle rule (AbortIncompleteMultipartUpload) or `bloblo sweep` clears it",
      metadata: ["blob.digest": "\(digest)", "reason": "\(error)"])
  }
}

extension Duration {
  /// With milliseconds.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds / 1_000_000_000_000_000) / 1000
  }
}
