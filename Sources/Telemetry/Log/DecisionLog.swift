package import Logging
package import Offload
package import Primitives
package import Registry

/// Tells the log what was decided: one line a request at `debug`; what an operator must act on at
/// `warning` and above, and not more than once in some seconds.
///
/// No query, no credential and no other header of a request: they may hold secrets.
package struct DecisionLog: Sendable {
  let logger: Logger
  let volume: LogVolume
  private let troubles = RepeatLimit<PassReason.Kind>()
  private let unreadLimit = RepeatLimit<OneKind>()
  private let advice = TellOnce<PassReason.Kind>()
  private let wrongObjects = RepeatLimit<OneKind>()
  private let wrongParamsLimit = RepeatLimit<OneKind>(burst: 20)

  init(_ logger: Logger, _ volume: LogVolume) {
    self.logger = logger
    self.volume = volume
  }

  /// Whether each request has its line. Asked before any field is built.
  package var isOn: Bool { volume.isDebug }

  /// - Parameter bytes: of the body that the client gets, from whomever.
  package func decided(_ decision: String, _ facts: RequestFacts, size: Int64?, bytes: Int64?) {
    decided(facts.fields(decision: decision, size: size), bytes: bytes)
  }

  /// The line of a request whose params are gone by now.
  func decided(_ fields: Logger.Metadata, bytes: Int64?) {
    var fields = fields
    if let bytes { fields["body.bytes"] = .stringConvertible(bytes) }
    logger.debug("decided", metadata: fields)
  }

  /// A body may take long: its line comes at its end.
  package func begun(_ fields: Logger.Metadata) { logger.trace("begun", metadata: fields) }

  func passed(_ facts: RequestFacts, _ reason: PassReason, size: Int64?) {
    var fields = facts.fields(decision: "pass", size: size)
    fields["reason"] = "\(reason)"
    if let words = reason.words { fields["reason.words"] = "\(words)" }
    logger.debug("passed", metadata: fields)
  }

  /// Says that requests pass which should not.
  func alarm(_ reason: PassReason, _ blob: BlobRequest?, at now: Moment) {
    guard let trouble = reason.kind.trouble, !trouble.isToldOnce || advice.admit(reason.kind),
      let repeated = troubles.admit(reason.kind, at: now.steady)
    else { return }
    var fields = blob.map { blobFields($0) } ?? [:]
    if let words = reason.words { fields[trouble.field] = "\(words)" }
    if let advice = trouble.advice { fields["advice"] = "\(advice)" }
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.log(level: trouble.level, "\(trouble.message)", metadata: fields)
  }

  func found(_ wrong: WrongObject, _ blob: BlobRequest, want size: Int64, at now: Moment) {
    guard let repeated = wrongObjects.admit(.one, at: now.steady) else { return }
    var fields = blobFields(blob)
    fields["object.size"] = .stringConvertible(wrong.size)
    fields["blob.size"] = .stringConvertible(size)
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.log(
      level: wrong.defect == .archived ? .warning : .error, "\(wrong.message(want: size))",
      metadata: fields)
  }

  /// Says that the web server could not read from S3.
  ///
  /// - Parameter path: of the signed URL; never its query, which is a password.
  package func unread(
    _ digest: Digest, at endpoint: String, path: String, _ words: String, at now: Moment
  ) {
    guard let repeated = unreadLimit.admit(.one, at: now.steady) else { return }
    var fields: Logger.Metadata = [
      "blob.digest": "\(digest)", "s3.endpoint": "\(endpoint)", "s3.path": "\(path)",
      "s3.error": "\(words)",
    ]
    if repeated > 0 { fields["repeated"] = .stringConvertible(repeated) }
    logger.warning(
      "the web server could not read from S3, and the registry answered", metadata: fields)
  }

  /// Tells what was kept back, when nothing more came of it.
  package func tellRepeated(at now: Moment) {
    for (kind, count) in troubles.takeDue(at: now.steady) {
      guard let trouble = kind.trouble else { continue }
      logger.log(
        level: trouble.level, "\(trouble.message)",
        metadata: ["repeated": .stringConvertible(count)])
    }
  }

  @Sendable package func wrongParams(_ problems: [String]) {
    guard let repeated = wrongParamsLimit.admit(.one, at: Moment.now().steady) else { return }
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
    fields["reason"] = "the registry or S3 broke off, or the client left"
    logger.info("body broken off", metadata: fields)
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

/// A pass that is not as things should be.
private struct Trouble {
  let level: Logger.Level
  let message: String
  /// What the reason's words are called.
  var field = "reason.words"
  /// What to do.
  var advice: String?
  /// Whether nothing changes until someone does that.
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
          "passed: the registry asks for a credential for the host that bloblo asks it by",
        advice:
          "clients use another host: set BLOBLO_PRESERVE_HOST=true where the web server keeps Host",
        isToldOnce: true)
    case .busy:
      Trouble(
        level: .warning,
        message: "passed: too many wait for the registry or S3",
        advice: "reason.words says for which: BLOBLO_UPSTREAM_CONNECTIONS, BLOBLO_THREADS"
      )
    case .coldLimit:
      Trouble(
        level: .warning,
        message: "passed: no more fills at a time",
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
        message: "passed: BLOBLO_DELIVERY=accelerate, and no web server here that can read S3",
        advice: "set BLOBLO_DELIVERY=redirect")
    default: nil
    }
  }
}
