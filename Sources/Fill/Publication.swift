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

  let target: FillTarget
  let shouldContinue: () -> Bool

  func publish(_ http: inout HTTPClient, _ attempt: Attempt) throws(FillError) -> Publication {
    do throws(S3Error) {
      if try tryToPublish(conditionally: !target.isReplacement, over: &http, attempt)
        != .alreadyThere
      {
        return .stored
      }
      if target.isPublished(over: &http) { return .elsewhere }
      // A wrong object has come there meanwhile.
      _ = try tryToPublish(conditionally: false, over: &http, attempt)
      return .stored
    } catch {
      // The answer may be lost and the object be there.
      if target.isPublished(over: &http) { return .elsewhere }
      throw .store(error.description)
    }
  }

  private func tryToPublish(
    conditionally isConditional: Bool, over http: inout HTTPClient, _ attempt: Attempt
  ) throws(S3Error) -> UploadOutcome {
    try Retry.run(shouldContinue) { () throws(S3Error) in try attempt(&http, isConditional) }
  }
}
