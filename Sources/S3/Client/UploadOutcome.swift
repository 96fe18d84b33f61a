/// How an upload ended that did not fail.
package enum UploadOutcome: Hashable, Sendable {
  /// The object is there, with this `ETag` when S3 named one.
  case stored(String?)
  /// There was one before, and it is as it was.
  case alreadyThere
}
