internal import Glibc
package import HTTPTransport

/// How long a test waits for what must come. Only a test that fails waits so long: the slowest machine gets there.
package let patience = Duration.seconds(120)

extension HTTPLimits {
  /// For a request that must be answered, however busy the machine is.
  package static let patient = HTTPLimits(connect: patience, head: patience, idle: patience)
}

/// Waits until `condition` holds.
///
/// - Returns: whether it came to hold.
package func eventually(
  within limit: Duration = patience, _ condition: () throws -> Bool
) rethrows -> Bool {
  let deadline = ContinuousClock.now + limit
  while true {
    if try condition() { return true }
    guard ContinuousClock.now < deadline else { return false }
    usleep(20_000)
  }
}
