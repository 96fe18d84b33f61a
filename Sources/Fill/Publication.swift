internal import HTTPTransport
internal import Primitives
internal import S3

/// How a fill ended that did not fail.
enum Publication: Sendable {
  /// This fill's object is there.
  case stored
  /// Another instance's is.
  case elsewhere
}

/// Makes an object visible, once its digest is known to be right.
///
/// Only where there is none, if the server knows that condition and no wrong object is to be replaced;
/// and whatever the answers were, what stands there at the end decides.
struct Publisher {
  typealias Attempt = (inout HTTPClient, _ isConditional: Bool) throws(S3Error) -> UploadOutcome

  let source: FillSource
  let goesOn: () -> Bool

  func publish(_ http: inout HTTPClient, _ attempt: Attempt) throws(FillError) -> Publication {
    do throws(S3Error) {
      if try tryToPublish(!source.isReplacement, &http, attempt) != .alreadyThere { return .stored }
      if source.isPublished(over: &http) { return .elsewhere }
      // A wrong object has come there meanwhile.
      _ = try tryToPublish(false, &http, attempt)
      return .stored
    } catch {
      // The answer may be lost and the object be there.
      if source.isPublished(over: &http) { return .elsewhere }
      throw .store(error.description)
    }
  }

  private func tryToPublish(
    _ isConditional: Bool, _ http: inout HTTPClient, _ attempt: Attempt
  ) throws(S3Error) -> UploadOutcome {
    do throws(S3Error) {
      return try Retry.run(goesOn) { () throws(S3Error) in try attempt(&http, isConditional) }
    } catch {
      guard error.isUnknownCondition, isConditional else { throw error }
      return try tryToPublish(false, &http, attempt)
    }
  }
}
