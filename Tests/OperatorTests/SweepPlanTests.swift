import Testing

@testable import Operator

struct SweepPlanTests {
  private let start = ContinuousClock.now

  @Test func `what works is looked at again after a day, and at most an hour more`() {
    var plan = SweepPlan<String>()
    let first = plan.due(of: ["a", "b"], at: start)
    #expect(first == ["a", "b"])
    let areRecovered = [
      plan.succeeded("a", at: start, chance: 0), plan.succeeded("b", at: start, chance: 1),
    ]
    #expect(areRecovered == [false, false])
    let due = [86_399, 86_400, 90_000].map { plan.due(of: ["a", "b"], at: start + .seconds($0)) }
    #expect(due == [[], ["a"], ["a", "b"]])
  }

  @Test func `what fails is tried again in growing pauses, and told once`() {
    var plan = SweepPlan<String>()
    var now = start
    var pauses: [Int] = []
    for number in 0..<14 {
      let due = plan.due(of: ["a"], at: now)
      #expect(due == ["a"])
      let isTold = plan.failed("a", at: now, chance: 1)
      #expect(isTold == (number == 0))
      var pause = 1
      while plan.due(of: ["a"], at: now + .seconds(pause)).isEmpty { pause += 1 }
      pauses.append(pause)
      now += .seconds(pause)
    }
    #expect(pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600])
    let isRecoveryTold = plan.succeeded("a", at: now, chance: 0)
    #expect(isRecoveryTold)
    let isTold = plan.failed("a", at: now, chance: 0)
    #expect(isTold, "the next failure is told again")
  }

  @Test func `what is no more is forgotten, and what is new comes at once`() {
    var plan = SweepPlan<String>()
    _ = plan.succeeded("a", at: start, chance: 0)
    let due = [plan.due(of: ["b"], at: start), plan.due(of: ["a"], at: start)]
    #expect(due == [["b"], ["a"]])
  }
}
