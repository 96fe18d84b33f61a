/// An instant on both of the system's clocks.
///
/// What lives for a time is measured by the steady clock: setting the other one back must not lengthen
/// the life of a proof.
package struct Moment: Sendable {
  /// What the calendar says, which tokens and signatures go by.
  package var unix: UnixTime
  /// Milliseconds since an arbitrary beginning; never goes back.
  package var steady: Int64

  package init(unix: UnixTime, steady: Int64) {
    self.unix = unix
    self.steady = steady
  }
}
