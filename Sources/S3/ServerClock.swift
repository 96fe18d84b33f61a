package import Primitives
internal import Synchronization

/// How far S3's clock is from ours, learnt from the `Date` of its responses.
///
/// S3 refuses what was signed more than 15 minutes from its own time, and counts a presigned URL's life
/// on its own clock. A difference of a minute or less is left alone: it may be the network's.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>
package final class ServerClock: Sendable {
  /// Seconds of difference that are left alone.
  package static let tolerance: Int64 = 60

  /// Seconds that S3 is ahead of us, as last measured.
  private let difference = Atomic<Int64>(0)

  package init() {}

  /// Seconds to add to our clock for S3's; 0 while they differ by no more than the tolerance.
  package var correction: Int64 {
    let seconds = difference.load(ordering: .relaxed)
    return abs(seconds) > Self.tolerance ? seconds : 0
  }

  /// Seconds that S3 is ahead of us, as last measured; the network's time is in it.
  package var measured: Int64 { difference.load(ordering: .relaxed) }

  /// S3's time, as well as it is known.
  package func time(at now: UnixTime) -> UnixTime { now + correction }

  /// - Parameters:
  ///   - date: what a response says.
  ///   - sent: our clock when the request was sent.
  ///   - seconds: until its response was there; a slow one tells nothing.
  /// - Returns: the correction, when it has changed by more than some seconds.
  package func learn(_ date: UnixTime, sent: UnixTime, seconds: Int64) -> Int64? {
    guard seconds <= 20 else { return nil }
    let before = correction
    difference.store(date - (sent + seconds / 2), ordering: .relaxed)
    let after = correction
    return abs(after - before) > 5 ? after : nil
  }
}
