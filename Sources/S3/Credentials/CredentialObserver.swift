/// Hears the events of a credential, for the log. Called on the thread that fetches.
package protocol CredentialObserver: Sendable {
  /// - Parameter lifeLeft: seconds; nil for one without end.
  func obtained(accessKeyID: String, source: String, lifeLeft: Int64?)

  /// Fetching failed, and will be tried again.
  ///
  /// - Parameter lifeLeft: seconds that the old credential has; nil when there is none, `.max` for one
  ///   without end.
  func failed(_ reason: String, lifeLeft: Int64?)

  /// The credential has ended and no other is there: nothing can be signed.
  func ended(accessKeyID: String)
}
