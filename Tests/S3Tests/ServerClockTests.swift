import Primitives
import S3
import Testing

struct ServerClockTests {
  private let clock = ServerClock()
  private let start = UnixTime(seconds: 1_000_000)

  /// The calendar is `step` seconds away from where it began.
  private func moment(_ seconds: Int64, step: Int64 = 0) -> Moment {
    Moment(unix: start + seconds + step, steady: (50_000 + seconds) * 1000)
  }

  private func learn(ahead: Int64, at now: Moment) {
    _ = clock.learn(now.unix + ahead, sent: now.unix, seconds: 0, steady: now.steady)
  }

  @Test(arguments: [-3600, -1200, 1200, 3600] as [Int64])
  func `a calendar that is set does not change what S3's time is`(step: Int64) {
    learn(ahead: 0, at: moment(0))
    #expect(clock.notice(moment(5)) == (0, false))
    let now = moment(10, step: step)
    #expect(clock.notice(now) == (-step, true))
    #expect(clock.time(at: now.unix) == start + 10)
    #expect(clock.notice(moment(11, step: step)) == (-step, false), "that is no news")
    #expect(clock.notice(moment(12)) == (0, true), "set back")
  }

  @Test func `one that was wrong and is set right needs no correction any more`() {
    learn(ahead: 1200, at: moment(0))
    #expect(clock.notice(moment(1)).correction == 1200)
    #expect(clock.notice(moment(2, step: 1200)) == (0, true))
  }

  @Test func `what S3 says after the calendar was set is not corrected twice`() {
    learn(ahead: 0, at: moment(0))
    learn(ahead: 3600, at: moment(10, step: -3600))
    #expect(clock.notice(moment(11, step: -3600)).correction == 3600)
  }

  @Test func `a slow answer tells nothing`() {
    #expect(clock.learn(start + 1200, sent: start, seconds: 21, steady: 0) == nil)
    #expect((clock.correction, clock.measured) == (0, 0))
    #expect(clock.learn(start + 1200, sent: start, seconds: 20, steady: 0) == 1190)
    #expect(clock.time(at: start) == start + 1190)
  }

  @Test func `before S3 has told its time the calendar is believed`() {
    #expect(clock.notice(moment(0)) == (0, false))
    #expect(clock.notice(moment(1, step: 1200)) == (0, false))
  }
}
