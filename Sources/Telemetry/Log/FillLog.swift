package import Fill
package import Logging
internal import Primitives
package import Registry

/// Logs how fills end.
package struct FillLog: FillObserver {
  private let logger: Logger
  private let metrics: Metrics
  private let recent: RecentFailures
  private let failures = LogRateLimiter<FillFailure>(burst: 20)

  package init(_ logger: Logger, _ recorder: RequestRecorder) {
    self.logger = logger
    metrics = recorder.metrics
    recent = recorder.failedFills
  }

  package func published(_ digest: Digest, size: Int64, after time: Duration) {
    metrics.fillsDone.add()
    metrics.filledBytes.add(size)
    metrics.fillTime.observe(nanoseconds: time.nanoseconds)
    logger.info(
      "filled",
      metadata: [
        "blob.digest": "\(digest)", "blob.size": .stringConvertible(size),
        "fill.seconds": .stringConvertible(time.seconds),
      ])
  }

  package func found(_ digest: Digest, size: Int64) {
    metrics.fillsElsewhere.add()
    logger.info(
      "not filled: another instance was first",
      metadata: ["blob.digest": "\(digest)", "blob.size": "\(size)"])
  }

  package func failed(_ digest: Digest, _ error: FillError) {
    metrics.fillsFailed[error.cause].add()
    recent.note(digest, error, at: .now())
    guard let repeated = failures.allow(error.cause, at: Moment.now().steady) else { return }
    // The registry's errors are the registry's to log; a wrong digest is for someone to look at.
    let level: Logger.Level =
      switch error {
      case .wrongDigest: .error
      case .stale, .stopping, .notFollowed: .info
      default: .warning
      }
    var fields: Logger.Metadata = [
      "blob.digest": "\(digest)", "reason": "\(error)", "cause": "\(error.cause.word)",
    ]
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.log(level: level, "not filled", metadata: fields)
  }

  package func leftUpload(of digest: Digest, _ error: FillError) {
    metrics.uploadsLeft.add()
    logger.warning(
      "multipart upload left in the bucket",
      metadata: [
        "blob.digest": "\(digest)", "reason": "\(error)",
        "advice":
          "a lifecycle rule (AbortIncompleteMultipartUpload) or `bloblo sweep` clears it",
      ])
  }
}

extension FillError {
  var cause: FillFailure {
    switch self {
    case .spool: .spool
    case .noRoom: .noRoom
    case .stale: .stale
    case .upstream, .notFollowed: .upstream
    case .short: .short
    case .long: .long
    case .wrongDigest: .wrongDigest
    case .store: .store
    case .stopping: .stopping
    }
  }
}

extension Duration {
  /// With milliseconds.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds / 1_000_000_000_000_000) / 1000
  }
}
