package import FastCGI

/// Requests that are no client's: pages, orders, questions of `bloblo check`.
package protocol Route: Sendable {
  /// - Returns: whether the request was for this, and is answered.
  func answer(_ request: Request) -> Bool
}
