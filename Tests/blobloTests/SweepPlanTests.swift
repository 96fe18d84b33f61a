import Testing

@testable import bloblo

struct SweepPlanTests {
  private let start = ContinuousClock.now

  @Test func `what works is looked at again after a day, and at most an hour more`() {
    var plan = SweepPlan<String>()
    #expect(plan.due(of: ["a", "b"], at: start) == ["a", "b"])
    #expect(!plan.succeeded("a", at: start, chance: 0))
    #expect(!plan.succeeded("b", at: start, chance: 1))
    #expect(plan.due(of: ["a", "b"], at: start + .seconds(86_399)) == [])
    #expect(plan.due(of: ["a", "b"], at: start + .seconds(86_400)) == ["a"])
    #expect(plan.due(of: ["a", "b"], at: start + .seconds(90_000)) == ["a", "b"])
  }

  @Test func `what fails is tried again in growing pauses, and told once`() {
    var plan = SweepPlan<String>()
    var now = start
    var pauses: [Int] = []
    for number in 0..<14 {
      #expect(plan.due(of: ["a"], at: now) == ["a"])
      #expect(plan.failed("a", at: now, chance: 1) == (number == 0))
      var pause = 1
      while plan.due(of: ["a"], at: now + .seconds(pause)).isEmpty { pause += 1 }
      pauses.append(pause)
      now += .seconds(pause)
    }
    #expect(pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600])
    #expect(plan.succeeded("a", at: now, chance: 0), "its recovery is told")
    #expect(plan.failed("a", at: now, chance: 0), "and the next failure again")
  }

  @Test func `what is no more is forgotten, and what is new comes at once`() {
    var plan = SweepPlan<String>()
    _ = plan.succeeded("a", at: start, chance: 0)
    #expect(plan.due(of: ["b"], at: start) == ["b"])
    #expect(plan.due(of: ["a"], at: start) == ["a"])
  }
}
