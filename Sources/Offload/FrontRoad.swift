internal import Synchronization

/// Whether the web server can read the bucket, as far as it has reported (`BLOBLO_DELIVERY=accelerate`).
///
/// Only the web server can tell: it may have resolved a name long ago, be behind a firewall, or lack an authority.
package struct FrontRoad: Sendable {
  /// All in milliseconds.
  static var shortestRest: Int64 { 10_000 }
  static var longestRest: Int64 { 80_000 }
  /// How long one request is waited for that tries, after a rest: the web server's connecting takes up to 2 s.
  static var trialTime: Int64 { 4000 }

  private var words: String?
  private var rest: Int64 = shortestRest
  /// Until when bloblo sends no request there, `Moment.steady`.
  private var restEnd: Int64 = .min
  private var isTried = false

  package init() {}

  /// The web server got no bytes, and no single object is the reason.
  package mutating func fail(_ words: String, at now: Int64) {
    // Requests that were on their way when it began to rest say nothing new.
    if self.words == nil {
      rest = Self.shortestRest
    } else if isTried || now >= restEnd {
      rest = min(rest * 2, Self.longestRest)
    }
    self.words = words
    restEnd = now + rest
    isTried = false
  }

  /// Why bloblo sends no request there now; `nil` when nothing is wrong.
  package mutating func trouble(at now: Int64) -> String? {
    guard let words else { return nil }
    if now < restEnd { return words }
    // The request that tried has not returned.
    if isTried { self.words = nil }
    return nil
  }

  /// Notes that a request is sent there: the first after a pause, for which others wait.
  package mutating func use(at now: Int64) {
    guard words != nil, now >= restEnd, !isTried else { return }
    isTried = true
    restEnd = now + Self.trialTime
  }
}

/// A web server's road, for many threads.
final class FrontRoadWatch: Sendable {
  private let road = Mutex(FrontRoad())

  func fail(_ words: String, at now: Int64) { road.withLock { $0.fail(words, at: now) } }
  func trouble(at now: Int64) -> String? { road.withLock { $0.trouble(at: now) } }
  func use(at now: Int64) { road.withLock { $0.use(at: now) } }
}
