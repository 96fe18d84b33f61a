/// How long bloblo's own look at a server may take. A server that may take longer to answer requests may take longer
/// to answer a look.
package struct LookTimes: Sendable {
  /// A look that takes longer is a sign that clients would wait, too; in milliseconds, as `Moment.steady` counts.
  package let suspicion: Int64
  /// A look that takes longer has failed.
  package let limit: Duration

  /// - Parameter timeout: how long the server may take to answer a request: `BLOBLO_S3_TIMEOUT`,
  ///   `BLOBLO_UPSTREAM_TIMEOUT`.
  package init(timeout: Duration = .seconds(5)) {
    suspicion = max(1000, Int64(timeout / .milliseconds(5)))
    limit = max(.seconds(3), timeout * 3 / 5)
  }
}
