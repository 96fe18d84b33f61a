import Testing

@testable import Offload

struct BreakerTests {
  @Test func `a unit that gives no answer rests by itself`() {
    var breaker = Breaker<String>()
    breaker.record(.noAnswer, of: "a", at: 0)
    #expect(breaker.isResting("a", at: 4999))
    check(&breaker, true) { $0.isOpen(for: "a", at: 4999) }
    check(&breaker, false) { $0.isOpen(for: "b", at: 4999) }
    #expect(!breaker.isBad)
  }

  @Test func `after a rest one asks, and the others go on resting meanwhile`() {
    var breaker = Breaker<String>()
    breaker.record(.noAnswer, of: "a", at: 0)
    check(&breaker, false) { $0.isOpen(for: "a", at: 5000) }
    check(&breaker, true) { $0.isOpen(for: "a", at: 5001) }
    breaker.record(.answer, of: "a", at: 5002)
    check(&breaker, false) { $0.isOpen(for: "a", at: 5003) }
  }

  @Test func `so it is with the server itself`() {
    var breaker = Breaker<String>()
    breaker.record(.noAnswer, of: nil, at: 0)
    check(&breaker, true) { $0.isOpen(at: 4999) }
    check(&breaker, false) { $0.isOpen(at: 5000) }
    check(&breaker, true) { $0.isOpen(at: 5001) }
    check(&breaker, true) { $0.isOpen(for: "a", at: 9999) }
    check(&breaker, false) { $0.isOpen(for: "a", at: 10_000) }
  }

  @Test func `a unit that stays silent rests longer each time, up to a limit`() {
    var breaker = Breaker<String>()
    var now: Int64 = 0
    var rests: [Int64] = []
    for _ in 0..<6 {
      breaker.record(.noAnswer, of: "a", at: now)
      let start = now
      while breaker.isResting("a", at: now) { now += 1000 }
      rests.append(now - start)
    }
    #expect(rests == [5000, 10_000, 20_000, 40_000, 40_000, 40_000])
  }

  @Test func `two units without an answer are the server's matter`() {
    var breaker = Breaker<String>()
    breaker.record(.noAnswer, of: "a", at: 0)
    breaker.record(.noAnswer, of: "b", at: 10)
    check(&breaker, true) { $0.isOpen(at: 11) }
    check(&breaker, true) { $0.isOpen(for: "c", at: 11) }
  }

  @Test func `but not when the server has answered for another in between`() {
    var breaker = Breaker<String>()
    breaker.record(.noAnswer, of: "a", at: 0)
    breaker.record(.answer, of: "c", at: 5)
    breaker.record(.noAnswer, of: "b", at: 10)
    check(&breaker, false) { $0.isOpen(at: 11) }
    #expect(breaker.isResting("a", at: 11), "an answer for another is none for it")
  }

  @Test func `connections that fail are the server's matter`() {
    var breaker = Breaker<String>()
    breaker.record(.noConnection, of: "a", at: 0)
    check(&breaker, false) { $0.isOpen(at: 1) }
    breaker.record(.noConnection, of: "a", at: 1)
    check(&breaker, true) { $0.isOpen(at: 2) }
  }

  @Test func `while background looks go on failing no request is the one that asks`() {
    var breaker = Breaker<String>()
    breaker.record(.noAnswer, of: nil, at: 0)
    for now in stride(from: Int64(100), to: 60_000, by: 100) {
      if now % 4000 == 0 { breaker.record(.noAnswer, of: nil, at: now) }
      check(&breaker, true) { $0.isOpen(at: now) }
    }
    breaker.record(.answer, of: nil, at: 60_000)
    check(&breaker, false) { $0.isOpen(at: 60_001) }
  }
}

/// `#expect` can't call what changes a value.
private func check(
  _ breaker: inout Breaker<String>, _ want: Bool, at location: SourceLocation = #_sourceLocation,
  _ isOpen: (inout Breaker<String>) -> Bool
) {
  let got = isOpen(&breaker)
  #expect(got == want, sourceLocation: location)
}

struct ServerWatchTests {
  private let watch = ServerWatch<String>()

  @Test
  func `while a look waits for more than a second nobody goes on as if the server were there`() {
    watch.record(.answer, of: "a", at: 0)
    watch.beginLook(at: 2000)
    #expect(!watch.isKnownBad("b", at: 3000))
    #expect(watch.isKnownBad("b", at: 3001))
    watch.endLook(.answer, at: 3002)
    #expect(!watch.isKnownBad("b", at: 3003))
  }

  @Test(arguments: [(Duration.seconds(30), Int64(6000)), (.seconds(5), 1000), (.seconds(1), 1000)])
  func `a server that may take long is suspected late`(timeout: Duration, suspicion: Int64) {
    watch.use(LookTimes(timeout: timeout))
    watch.beginLook(at: 0)
    #expect(!watch.isKnownBad("b", at: suspicion))
    #expect(watch.isKnownBad("b", at: suspicion + 1))
  }

  @Test func `also when it is a request that looks, because nothing was heard for long`() {
    watch.record(.answer, of: "a", at: 0)
    #expect(!watch.takeSilence(at: 3000))
    #expect(watch.takeSilence(at: 3001))
    #expect(!watch.takeSilence(at: 3002))
    #expect(watch.isKnownBad("b", at: 4002))
  }

  @Test func `a background look is due when a needed server was not heard of for two seconds`() {
    watch.record(.answer, of: "a", at: 0)
    #expect(!watch.isLookDue(at: 5000), "nobody needs it")
    _ = watch.isKnownBad("b", at: 5000)
    #expect(watch.isLookDue(at: 5001))
    watch.endLook(.answer, at: 5002)
    #expect(!watch.isLookDue(at: 7001))
    #expect(watch.isLookDue(at: 7002))
    #expect(!watch.isLookDue(at: 15_001), "nobody has needed it for ten seconds")
    watch.record(.noAnswer, of: nil, at: 15_002)
    #expect(watch.isLookDue(at: 90_000), "until it answers")
  }
}
