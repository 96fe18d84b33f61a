internal import Glibc

/// Waits until `condition` holds, for as long as a slow machine may need.
///
/// - Returns: whether it came to hold.
package func eventually(
  within limit: Duration = .seconds(30), _ condition: () throws -> Bool
) rethrows -> Bool {
  let deadline = ContinuousClock.now + limit
  while true {
    if try condition() { return true }
    guard ContinuousClock.now < deadline else { return false }
    usleep(20_000)
  }
}
