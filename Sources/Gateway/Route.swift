package import FastCGI

/// Answers requests that come from operators and commands, not from clients: pages, `bloblo purge`, `bloblo check`.
package protocol Route: Sendable {
  /// - Returns: whether the request was for this route, which has then answered it.
  func answer(_ request: Request) -> Bool
}
