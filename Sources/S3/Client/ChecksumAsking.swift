/// Whether S3 is asked for the checksums of a bucket's objects.
///
/// A bucket that has refused is asked without for some minutes. Then one request asks for the checksum again, while the
/// others still go without: what was wrong may be repaired.
struct ChecksumAsking {
  enum Wish: Sendable, Equatable {
    case none
    /// As nothing is known against it.
    case first
    /// Though it was refused some minutes ago.
    case again
  }

  /// How long a bucket is asked without checksums.
  static let pause = Duration.seconds(300)
  /// How long nobody else asks again while one does; and the time between two trials without.
  static let trialTime = Duration.seconds(5)

  /// `nil` while checksums are asked for.
  private var pauseEnd: ContinuousClock.Instant?
  private var trialEnd: ContinuousClock.Instant?

  mutating func wish(at now: ContinuousClock.Instant) -> Wish {
    guard let end = pauseEnd else { return .first }
    guard now >= end else { return .none }
    pauseEnd = now + Self.trialTime
    return .again
  }

  /// Whether it may be tried now whether a refusal is for the asking for the checksum alone.
  mutating func takeTrial(at now: ContinuousClock.Instant) -> Bool {
    if let end = trialEnd, now < end { return false }
    trialEnd = now + Self.trialTime
    return true
  }

  mutating func giveBackTrial() { trialEnd = nil }

  /// The bucket refuses the asking.
  mutating func refused(at now: ContinuousClock.Instant) { pauseEnd = now + Self.pause }

  /// It does not any more.
  mutating func accepted() { pauseEnd = nil }
}
