/// How fast a reading goes: whether it stands still, by whatever `now` its owner says.
struct FillPace: Sendable {
  typealias Instant = ContinuousClock.Instant

  /// Fewer bytes are no advance: a server that sends one now and then stands still.
  static let leastBytes: Int64 = 64 << 10

  private var offset: Int64 = 0
  /// When the reading last was `leastBytes` further.
  private(set) var since: Instant

  init(at now: Instant) { since = now }

  mutating func advance(to offset: Int64, at now: Instant) {
    guard offset - self.offset >= Self.leastBytes else { return }
    (self.offset, since) = (offset, now)
  }

  /// Another connection has taken over: it is measured from here.
  mutating func restart(at offset: Int64, now: Instant) { (self.offset, since) = (offset, now) }

  func isStandingStill(for time: Duration, at now: Instant) -> Bool { now - since > time }
}
