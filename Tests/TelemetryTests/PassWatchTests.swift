import Offload
import Testing

@testable import Telemetry

/// By minutes of a steady clock that the tests own.
struct PassWatchTests {
  private let watch = PassWatch(at: 0)

  /// Lets a minute of blobs go by.
  private func minute(
    _ number: Int64, _ passes: [PassReason.Kind: Int] = [:], given: Int = 0
  ) -> PassWatch.Finding? {
    for (kind, count) in passes { for _ in 0..<count { watch.pass(kind) } }
    for _ in 0..<given { watch.give() }
    return watch.look(at: (number + 1) * 60_000)
  }

  @Test func `nearly all for one reason, for ten minutes`() {
    for number in 0..<9 as Range<Int64> {
      #expect(minute(number, [.upstreamStatus: 19], given: 1) == nil)
    }
    let finding = PassWatch.Finding(reason: .upstreamStatus, passed: 190, blobs: 200)
    #expect(minute(9, [.upstreamStatus: 19], given: 1) == finding)
    // Within the next minute it is still so, however often someone looks.
    #expect(watch.look(at: 10 * 60_000 + 5000) == finding)
  }

  @Test func `it ends when blobs are given out again`() {
    for number in 0..<10 as Range<Int64> { _ = minute(number, [.coldRedirect: 10]) }
    #expect(minute(10, [.coldRedirect: 10])?.reason == .coldRedirect)
    #expect(minute(11, given: 90) == nil)
  }

  @Test func `and when nobody asks any more`() {
    for number in 0..<11 as Range<Int64> { _ = minute(number, [.store: 10]) }
    #expect(watch.look(at: 11 * 60_000) != nil)
    #expect(watch.look(at: 60 * 60_000) == nil)
  }

  @Test func `a burst, few blobs, and several reasons are nothing`() {
    #expect(minute(0, [.upstreamStatus: 5000]) == nil)
    for number in 1..<20 as Range<Int64> { #expect(minute(number) == nil) }
    for number in 20..<35 as Range<Int64> { #expect(minute(number, [.store: 1]) == nil) }
    for number in 35..<50 as Range<Int64> {
      #expect(minute(number, [.upstreamStatus: 10, .conditional: 10]) == nil)
    }
  }

  @Test(arguments: [.delivery, .switchedOff, .purged] as [PassReason.Kind])
  func `what someone wants to pass is no news`(_ kind: PassReason.Kind) {
    for number in 0..<15 as Range<Int64> { #expect(minute(number, [kind: 100]) == nil) }
  }

  @Test(arguments: PassReason.Kind.allCases)
  func `each reason says what to do`(_ kind: PassReason.Kind) {
    #expect(kind.advice.hasSuffix(".") || kind.advice.hasSuffix("?"))
    #expect(!kind.isNormal || kind.isOfNoBlob || kind.advice != kind.meaning)
    #expect(!kind.advice.contains("Normal") && !kind.meaning.contains("Normal"))
  }
}
