/// An instant on both of the system's clocks.
///
/// What lives for a time is measured by the steady clock: setting the other one back must not lengthen
/// the life of a proof.
package struct Moment: Sendable {
  /// What the calendar says, which tokens and signatures go by.
  package var unix: UnixTime
  /// Milliseconds of the calendar's second that have passed.
  package var millisecond: Int64
  /// Milliseconds since an arbitrary beginning; never goes back.
  package var steady: Int64

  /// Further off than anything that ends, in seconds.
  private static var farAway: Int64 { 1_000_000_000_000 }

  package init(unix: UnixTime, millisecond: Int64 = 0, steady: Int64) {
    self.unix = unix
    self.millisecond = millisecond
    self.steady = steady
  }

  /// Milliseconds from now until the calendar says `end`; negative when it has passed.
  ///
  /// Clients and servers write `end` as they like: no arithmetic on it may overflow.
  package func milliseconds(until end: UnixTime) -> Int64 {
    max(-Self.farAway, min(Self.farAway, end - unix)) * 1000 - millisecond
  }
}
