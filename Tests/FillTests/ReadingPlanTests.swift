import Testing

@testable import Fill

@Suite struct ReadingPlanTests {
  private let start = ContinuousClock.now

  private func begun() -> ReadingPlan {
    var plan = ReadingPlan(at: start)
    #expect(plan.step(at: start) == .open)
    #expect(plan.open(at: start) == 0)
    plan.begin(at: start)
    return plan
  }

  @Test func `an upstream that refuses is asked once: the client is passed on`() {
    var plan = ReadingPlan(at: start)
    _ = plan.open(at: start)
    plan.end(0, .upstream("answers 500"), isRefusal: false, at: start)
    #expect(plan.step(at: start) == .fail(.upstream("answers 500")))
  }

  @Test func `a reading that is cut goes on, three times with longer pauses`() {
    var (plan, now) = (begun(), start)
    plan.advance(to: 1000, by: 0, at: now)
    for (number, pause) in ReadingPlan.pauses.enumerated() {
      plan.end(number, .short(5000, 1000), isRefusal: false, at: now)
      #expect(plan.step(at: now) == .wait(until: now + pause))
      now += pause
      #expect(plan.step(at: now) == .open)
      #expect(plan.open(at: now) == number + 1)
    }
    plan.end(3, .upstream("answers 404"), isRefusal: false, at: now)
    #expect(plan.step(at: now) == .fail(.upstream("answers 404")))
  }

  @Test func `new bytes are a new beginning`() {
    var (plan, now) = (begun(), start)
    for number in 0..<20 {
      plan.advance(to: Int64(number + 1) << 20, by: number, at: now)
      plan.end(number, .short(1 << 30, 0), isRefusal: false, at: now)
      now += ReadingPlan.pauses[0]
      #expect(plan.step(at: now) == .open)
      _ = plan.open(at: now)
    }
  }

  @Test
  func `one that stands still goes on by another, and the old one stays until that has bytes`() {
    var plan = begun()
    plan.advance(to: 100_000, by: 0, at: start)
    let now = start + .seconds(5)
    #expect(plan.step(at: now - .seconds(1)) == .wait(until: now))
    #expect(plan.step(at: now) == .open)
    #expect(plan.open(at: now) == 1)
    #expect(plan.isWanted(0) && plan.isWanted(1))
    plan.advance(to: 100_001, by: 1, at: now)
    #expect(!plan.isWanted(0) && plan.isWanted(1))
    // What the old one says then is no news.
    plan.end(0, .upstream("late"), isRefusal: true, at: now)
    #expect(plan.step(at: now) == .wait(until: now + .seconds(20)))
  }

  @Test func `one that drips stands still`() {
    var (plan, now) = (begun(), start)
    for second in 1...5 {
      now = start + .seconds(second)
      plan.advance(to: Int64(second), by: 0, at: now)
    }
    #expect(plan.step(at: now) == .open)
  }

  @Test func `an old one that comes to life again goes on`() {
    var plan = begun()
    let now = start + .seconds(5)
    _ = plan.open(at: now)
    plan.advance(to: 100_000, by: 0, at: now)
    plan.end(1, .upstream("answers 404"), isRefusal: false, at: now)
    #expect(plan.isWanted(0))
    #expect(plan.step(at: now) == .wait(until: now + .seconds(20)))
  }

  @Test func `a pause is waited for as long as a web server would, and no longer`() {
    var (plan, now) = (begun(), start)
    plan.advance(to: 10, by: 0, at: now)
    var opened = 0
    while now - start <= .seconds(900) {
      switch plan.step(at: now) {
      case .open:
        _ = plan.open(at: now)
        opened += 1
      case .wait(let until): now = until + .milliseconds(1)
      case .fail(let error):
        Issue.record("\(error) after \(now - start)")
        return
      }
    }
    #expect(opened == 3)
    guard case .fail = plan.step(at: now) else {
      Issue.record("it waits on")
      return
    }
  }

  @Test func `a 401 ends it, unless the old connection still brings bytes`() {
    var plan = begun()
    let now = start + .seconds(5)
    _ = plan.open(at: now)
    plan.end(1, .upstream("answers 401"), isRefusal: true, at: now)
    guard case .wait = plan.step(at: now + .seconds(300)) else {
      Issue.record("the old one is there yet")
      return
    }
    plan.end(0, .short(10, 5), isRefusal: false, at: now)
    #expect(plan.step(at: now + .seconds(10)) == .fail(.short(10, 5)))
  }

  @Test func `a newer one makes room for the newest`() {
    var plan = begun()
    _ = plan.open(at: start + .seconds(5))
    _ = plan.open(at: start + .seconds(25))
    #expect(plan.isWanted(0) && !plan.isWanted(1) && plan.isWanted(2))
  }
}
