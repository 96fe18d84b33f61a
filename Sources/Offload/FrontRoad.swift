internal import Synchronization

/// Whether the web server can read the bucket, as far as it has said (`BLOBLO_DELIVERY=accelerate`).
///
/// bloblo sees the bucket from its own place: a name that only the web server resolved long ago, a firewall or an
/// authority that only it lacks, nobody else can tell.
package struct FrontRoad: Sendable {
  /// All in milliseconds.
  static var shortestRest: Int64 { 10_000 }
  static var longestRest: Int64 { 80_000 }
  /// How long one request is waited for that tries, after a rest: the web server's connecting takes up to 2 s.
  static var trialTime: Int64 { 4000 }

  private var words: String?
  private var rest: Int64 = shortestRest
  /// Until when no request is sent there, `Moment.steady`.
  private var restEnd: Int64 = .min
  private var isTried = false

  package init() {}

  /// The web server got no bytes, for a reason that is no object's own.
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

  /// Why no request is sent there now; `nil` when nothing is against it.
  package mutating func trouble(at now: Int64) -> String? {
    guard let words else { return nil }
    if now < restEnd { return words }
    // The one that tried has not come back.
    if isTried { self.words = nil }
    return nil
  }

  /// A request is sent there: the first after a rest, which others wait for.
  package mutating func use(at now: Int64) {
    guard words != nil, now >= restEnd, !isTried else { return }
    isTried = true
    restEnd = now + Self.trialTime
  }
}

/// A web server's road that is asked by many threads.
final class FrontRoadWatch: Sendable {
  private let road = Mutex(FrontRoad())

  func fail(_ words: String, at now: Int64) { road.withLock { $0.fail(words, at: now) } }
  func trouble(at now: Int64) -> String? { road.withLock { $0.trouble(at: now) } }
  func use(at now: Int64) { road.withLock { $0.use(at: now) } }
}
