import Logging
import Offload
import Registry

/// Tells the log what was decided. No query, no header of a request: they may hold secrets.
struct DecisionLog: Sendable {
  let logger: Logger

  func decided(_ decision: String, _ blob: BlobRequest) {
    logger.debug("decided", metadata: fields(blob, ["decision": "\(decision)"]))
  }

  func passed(_ blob: BlobRequest?, _ reason: PassReason) {
    switch reason {
    case .store(let words):
      logger.warning(
        "passed: S3 did not answer as it should", metadata: fields(blob, ["s3.error": "\(words)"]))
    case .unproven(.unreachable(let words)):
      logger.warning(
        "passed: upstream did not answer", metadata: fields(blob, ["upstream.error": "\(words)"]))
    case .unproven(.status(let status)):
      logger.debug(
        "passed", metadata: fields(blob, ["reason": "\(reason)", "upstream.status": "\(status)"]))
    case .cold(.upstream(let words)):
      logger.debug(
        "passed", metadata: fields(blob, ["reason": "\(reason)", "upstream.error": "\(words)"]))
    default:
      logger.debug("passed", metadata: fields(blob, ["reason": "\(reason)"]))
    }
  }

  func found(_ wrong: WrongObject, _ blob: BlobRequest, want size: Int64) {
    logger.error(
      "an object in the bucket has the wrong size; it is not used, and filled again",
      metadata: fields(blob, ["object.size": "\(wrong.size)", "blob.size": "\(size)"]))
  }

  @Sendable func wrongParams(_ problems: [String]) {
    logger.error(
      "a location of the web server sets params that are wrong; its requests pass",
      metadata: ["problems": "\(problems.joined(separator: "; "))"])
  }

  func brokenOff(_ blob: BlobRequest, after offset: Int64, of size: Int64) {
    logger.info(
      "body broken off: upstream broke off, or the client left",
      metadata: fields(blob, ["body.sent": "\(offset)", "blob.size": "\(size)"]))
  }

  /// Built only when the level is on: the arguments of a log call are closures.
  private func fields(_ blob: BlobRequest?, _ more: Logger.Metadata) -> Logger.Metadata {
    guard let blob else { return more }
    return more.merging(["repository": "\(blob.path.name)", "blob.digest": "\(blob.path.digest)"]) {
      $1
    }
  }
}
