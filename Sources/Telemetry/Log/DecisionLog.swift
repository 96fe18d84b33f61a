package import Logging
package import Offload
package import Primitives
package import Registry

/// Logs decisions: one line for each request at `debug`; what an operator must act on at `warning` and above, at most
/// once in some seconds.
///
/// A line never has a query, a credential or another field of the request: they may hold secrets.
package struct DecisionLog: Sendable {
  let logger: Logger
  let volume: LogLevelControl
  private let troubles = LogRateLimiter<PassReason.Kind>()
  private let unreadLimit = LogRateLimiter<OneKind>()
  private let advice = OncePerKind<PassReason.Kind>()
  private let wrongObjects = LogRateLimiter<OneKind>()
  private let wrongParamsLimit = LogRateLimiter<OneKind>(burst: 20)

  init(_ logger: Logger, _ volume: LogLevelControl) {
    self.logger = logger
    self.volume = volume
  }

  /// Whether each request gets a line. Ask this before building fields.
  package var isOn: Bool { volume.isDebug }

  /// - Parameter bytes: of the body that the client gets, whichever server sends it.
  package func decided(_ decision: String, _ facts: RequestFacts, size: Int64?, bytes: Int64?) {
    decided(facts.fields(decision: decision, size: size), bytes: bytes)
  }

  /// Logs the line of a request whose params are gone.
  func decided(_ fields: Logger.Metadata, bytes: Int64?) {
    var fields = fields
    if let bytes { fields["body.bytes"] = .stringConvertible(bytes) }
    logger.debug("decided", metadata: fields)
  }

  /// The fields of a line that is logged when the body has ended, perhaps much later.
  package func begun(_ fields: Logger.Metadata) { logger.trace("begun", metadata: fields) }

  func passed(_ facts: RequestFacts, _ reason: PassReason, size: Int64?) {
    var fields = facts.fields(decision: "pass", size: size)
    fields["reason"] = "\(reason)"
    if let words = reason.words { fields["reason.words"] = "\(words)" }
    logger.debug("passed", metadata: fields)
  }

  /// Logs that requests pass that should be offloaded.
  func alarm(_ reason: PassReason, _ blob: BlobRequest?, at now: Moment) {
    guard let trouble = reason.kind.trouble, !trouble.isToldOnce || advice.allow(reason.kind),
      let repeated = troubles.allow(reason.kind, at: now.steady)
    else { return }
    var fields = blob.map { blobFields($0) } ?? [:]
    if let words = reason.words { fields[trouble.field] = "\(words)" }
    if let advice = trouble.advice { fields["advice"] = "\(advice)" }
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.log(level: trouble.level, "\(trouble.message)", metadata: fields)
  }

  func found(_ wrong: WrongObject, _ blob: BlobRequest, want size: Int64, at now: Moment) {
    guard let repeated = wrongObjects.allow(.one, at: now.steady) else { return }
    var fields = blobFields(blob)
    fields["object.size"] = .stringConvertible(wrong.size)
    fields["blob.size"] = .stringConvertible(size)
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.log(
      level: wrong.defect == .archived ? .warning : .error, "\(wrong.message(want: size))",
      metadata: fields)
  }

  /// Logs that the web server could not read from S3.
  ///
  /// - Parameter path: of the signed URL, without its query, which holds the signature.
  package func unread(
    _ digest: Digest, at endpoint: String, path: String, _ words: String, at now: Moment
  ) {
    guard let repeated = unreadLimit.allow(.one, at: now.steady) else { return }
    var fields: Logger.Metadata = [
      "blob.digest": "\(digest)", "s3.endpoint": "\(endpoint)", "s3.path": "\(path)",
      "s3.error": "\(words)",
    ]
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.warning(
      "the web server could not read from S3, and the registry answered", metadata: fields)
  }

  /// Logs the numbers of events that were not logged, when their interval has ended.
  package func tellRepeated(at now: Moment) {
    for (kind, count) in troubles.takeDue(at: now.steady) {
      guard let trouble = kind.trouble else { continue }
      logger.log(
        level: trouble.level, "\(trouble.message)",
        metadata: ["repeated": .stringConvertible(count)])
    }
  }

  package func wrongParams(_ problems: [String]) {
    guard let repeated = wrongParamsLimit.allow(.one, at: Moment.now().steady) else { return }
    var fields: Logger.Metadata = [
      "problems": "\(problems.joined(separator: "; "))",
      "advice": "its requests pass until the web server's file is corrected",
    ]
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.error(
      "a location of the web server sets params that are wrong",
      metadata: fields)
  }

  package func brokenOff(_ blob: BlobRequest, after offset: Int64, of size: Int64) {
    var fields = blobFields(blob)
    fields["body.sent"] = .stringConvertible(offset)
    fields["blob.size"] = .stringConvertible(size)
    fields["reason"] = "the registry or S3 stopped sending, or the client left"
    logger.info("body cut off", metadata: fields)
  }
}

extension WrongObject {
  fileprivate func message(want size: Int64) -> String {
    switch size == self.size ? defect : nil {
    case .archived:
      "an object in the bucket is archived and can't be read; its blob is filled again"
    case .otherContent:
      "an object in the bucket has another content than its blob; it is not used, and filled again"
    case .unreadable, nil:
      "an object in the bucket has the wrong size; it is not used, and filled again"
    }
  }
}

private enum OneKind: Int, CaseIterable {
  case one
}

func blobFields(_ blob: BlobRequest) -> Logger.Metadata {
  ["repository": "\(blob.path.name)", "blob.digest": "\(blob.path.digest)"]
}

/// A kind of pass that an operator should act on.
private struct Trouble {
  let level: Logger.Level
  let message: String
  /// The name of the field that has the reason's words.
  var field = "reason.words"
  /// What to do.
  var advice: String?
  /// Whether it is logged only once, since nothing changes until someone acts.
  var isToldOnce = false
}

extension PassReason.Kind {
  fileprivate var trouble: Trouble? {
    switch self {
    case .store:
      Trouble(
        level: .warning, message: "passed: S3 did not answer as it should", field: "s3.error")
    case .storeDenied:
      Trouble(
        level: .warning,
        message: "passed: S3 does not say whether it has the blob", field: "s3.error",
        advice:
          "nothing is filled until then: grant s3:ListBucket on the bucket, and s3:GetObject on its objects"
      )
    case .upstreamUnreachable:
      Trouble(
        level: .warning, message: "passed: upstream did not answer", field: "upstream.error")
    case .upstreamName:
      Trouble(
        level: .warning,
        message:
          "passed: the registry refuses the credential, since bloblo uses another host name",
        advice:
          "clients use another host: set BLOBLO_PRESERVE_HOST=true where the web server keeps Host",
        isToldOnce: true)
    case .busy:
      Trouble(
        level: .warning,
        message: "passed: too many requests wait for the registry or S3",
        advice: "reason.words says for which: BLOBLO_UPSTREAM_CONNECTIONS, BLOBLO_THREADS"
      )
    case .coldLimit:
      Trouble(
        level: .warning,
        message: "passed: too many fills at a time",
        advice: "BLOBLO_FILL_CONCURRENCY or BLOBLO_SPOOL_MAX_BYTES is reached"
      )
    case .longURL:
      Trouble(
        level: .error,
        message: "passed: signed URLs are longer than Apache takes",
        advice:
          "Apache takes 8 KiB: set BLOBLO_PRESIGN_ACCESS_KEY_ID to a key that has no session token"
      )
    case .noAcceleration:
      Trouble(
        level: .error,
        message: "passed: BLOBLO_DELIVERY=accelerate, but this web server can't read S3",
        advice: "set BLOBLO_DELIVERY=redirect")
    default: nil
    }
  }
}
