package import Primitives
internal import Synchronization

/// What is learnt of a bucket while it is used, shared by all who use it: its true region, S3's clock;
/// and the signers for the credential that holds.
package final class BucketSite: Sendable {
  private struct State {
    var bucket: Bucket
    /// How often the bucket turned out to be in another region.
    var moves = 0
    var requests: (generation: Int, signer: Signer)?
    var presigning: (generation: Int, signer: Signer)?
    var refusals: (code: String?, end: ContinuousClock.Instant)?
    var writeRefusal: S3ErrorResponse?
    var checksums = ChecksumAsking()
  }

  /// How long the code of one refusal is taken for that of those which come after it.
  private static let refusalLife = Duration.seconds(5)

  private let state: Mutex<State>
  private let credentials: CredentialStore
  private let presignCredentials: CredentialStore
  package let clock: ServerClock
  let known = KnownFeatures()
  private let observer: (any BucketObserver)?

  /// - Parameters:
  ///   - presignCredentials: nil for the same; another, which lives long, where URLs must.
  package init(
    _ bucket: Bucket, credentials: CredentialStore, presignCredentials: CredentialStore? = nil,
    clock: ServerClock = ServerClock(), observer: (any BucketObserver)? = nil
  ) {
    state = Mutex(State(bucket: bucket))
    self.credentials = credentials
    self.presignCredentials = presignCredentials ?? credentials
    self.clock = clock
    self.observer = observer
  }

  package var bucket: Bucket { state.withLock { $0.bucket } }

  /// - Parameter now: S3's time.
  /// - Returns: nil when no credential lives.
  func signer(at now: UnixTime) -> (generation: Int, signer: Signer)? {
    guard let held = credentials.current(at: now) else { return nil }
    return state.withLock { state in
      if let known = state.requests, known.generation == held.generation { return known }
      let made = (held.generation, Signer(held.credential, region: state.bucket.region))
      state.requests = made
      return made
    }
  }

  func presigner(at now: UnixTime) -> (bucket: Bucket, signer: Signer)? {
    guard let held = presignCredentials.current(at: now) else { return nil }
    return state.withLock { state in
      if let known = state.presigning, known.generation == held.generation {
        return (state.bucket, known.signer)
      }
      let signer = Signer(held.credential, region: state.bucket.region)
      state.presigning = (held.generation, signer)
      return (state.bucket, signer)
    }
  }

  /// Rises when another credential signs URLs, and when the bucket turns out to be in another region; -1 while no
  /// credential lives.
  ///
  /// - Parameter now: S3's time.
  package func presigningGeneration(at now: UnixTime) -> Int {
    guard let held = presignCredentials.current(at: now) else { return -1 }
    // Neither falls, so the sum is another one when one of them rises.
    return held.generation + state.withLock { $0.moves }
  }

  /// - Returns: whether that is news.
  func learn(region: String) -> Bool {
    let old: String? = state.withLock { state in
      // What can't be a region is not believed.
      guard region != state.bucket.region, let moved = try? state.bucket.moved(to: region) else {
        return nil
      }
      let old = state.bucket.region
      state = State(bucket: moved, moves: state.moves + 1)
      return old
    }
    guard let old else { return false }
    observer?.regionLearnt(region, insteadOf: old)
    return true
  }

  /// - Returns: whether the next signature will have another time.
  func learn(date: UnixTime, sent: UnixTime, seconds: Int64) -> Bool {
    guard let correction = clock.learn(date, sent: sent, seconds: seconds) else { return false }
    observer?.clockDiffers(by: correction)
    return true
  }

  /// Looks whether our calendar was set; see `ServerClock.notice`.
  ///
  /// - Returns: the correction now.
  package func notice(_ now: Moment) -> Int64 {
    let (correction, isNews) = clock.notice(now)
    if isNews { observer?.clockDiffers(by: correction) }
    return correction
  }

  /// Why the last request that writes was refused, if it was for want of a right.
  package var writeRefusal: S3ErrorResponse? { state.withLock { $0.writeRefusal } }

  func learn(writeRefusal: S3ErrorResponse?) { state.withLock { $0.writeRefusal = writeRefusal } }

  /// Whether to ask S3 for an object's checksum.
  func checksumWish(at now: ContinuousClock.Instant) -> ChecksumAsking.Wish {
    state.withLock { $0.checksums.wish(at: now) }
  }

  /// Whether it may be tried whether a refusal is for the asking for the checksum alone: once in some seconds.
  func takeChecksumTrial(at now: ContinuousClock.Instant) -> Bool {
    state.withLock { $0.checksums.takeTrial(at: now) }
  }

  /// The trial has said nothing.
  func giveBackChecksumTrial() { state.withLock { $0.checksums.giveBackTrial() } }

  /// This bucket describes objects only to those who do not ask for checksums.
  func pauseChecksums(at now: ContinuousClock.Instant) {
    state.withLock { $0.checksums.refused(at: now) }
  }

  /// A checksum was asked for again, and the bucket answered.
  func resumeChecksums() { state.withLock { $0.checksums.accepted() } }

  /// The code of refusals that come without one.
  ///
  /// - Parameter ask: finds it out; those who come at the same time all ask, and then none for some seconds.
  func codeOfRefusals(_ ask: () -> String?) -> String? {
    let now = ContinuousClock.now
    if let known = state.withLock({ $0.refusals }), now < known.end { return known.code }
    // What nobody tells is asked for again: it may be another refusal.
    guard let code = ask() else { return nil }
    state.withLock { $0.refusals = (code, now + Self.refusalLife) }
    return code
  }

  func invalidate(_ generation: Int) { credentials.invalidate(generation) }
}

/// Hears what is learnt about a bucket, for the log.
package protocol BucketObserver: Sendable {
  func regionLearnt(_ region: String, insteadOf old: String)

  /// - Parameter seconds: that S3 is ahead of us; 0 when the clocks agree again.
  func clockDiffers(by seconds: Int64)
}
