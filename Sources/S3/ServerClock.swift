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

  private struct State: Sendable {
    /// Seconds that S3 is ahead of us, as last measured.
    var difference: Int64 = 0
    var isLearnt = false
    /// Seconds of the calendar ahead of the steady clock, when last looked at.
    var offset: Int64?

    var correction: Int64 { abs(difference) > ServerClock.tolerance ? difference : 0 }
  }

  private let state = Mutex(State())

  package init() {}

  /// Seconds to add to our clock for S3's; 0 while they differ by no more than the tolerance.
  package var correction: Int64 { state.withLock { $0.correction } }

  /// Seconds that S3 is ahead of us, as last measured; the network's time is in it.
  package var measured: Int64 { state.withLock { $0.difference } }

  /// S3's time, as well as it is known.
  package func time(at now: UnixTime) -> UnixTime { now + correction }

  /// - Parameters:
  ///   - date: what a response says.
  ///   - sent: our clock when the request was sent.
  ///   - seconds: until its response was there; a slow one tells nothing.
  ///   - steady: `Moment.steady`, when the response was there.
  /// - Returns: the correction, when it has changed by more than some seconds.
  package func learn(
    _ date: UnixTime, sent: UnixTime, seconds: Int64, steady: Int64 = Moment.now().steady
  ) -> Int64? {
    guard seconds <= 20 else { return nil }
    return state.withLock { state in
      let before = state.correction
      state.difference = date - (sent + seconds / 2)
      state.isLearnt = true
      state.offset = (sent + seconds).seconds - steady / 1000
      return abs(state.correction - before) > 5 ? state.correction : nil
    }
  }

  /// Looks whether the calendar was set since it was last looked at: then S3's time is still known, by the
  /// steady clock.
  ///
  /// - Returns: the correction now, and whether it has changed by more than some seconds.
  package func notice(_ now: Moment) -> (correction: Int64, isNews: Bool) {
    let offset = now.unix.seconds - now.steady / 1000
    return state.withLock { state in
      let before = state.correction
      let step = state.offset.map { offset - $0 } ?? 0
      state.offset = offset
      if abs(step) > Self.leastStep, state.isLearnt { state.difference -= step }
      return (state.correction, abs(state.correction - before) > Self.leastStep)
    }
  }

  /// Seconds by which a calendar goes that was set; less is its own irregularity.
  private static let leastStep: Int64 = 5
}
