import Primitives
import Testing

struct SlotIndexTests {
  /// Hashes of which many meet, in the upper half or in the place that it chooses.
  private static func hash(of key: Int) -> UInt64 { UInt64(key % 7) << 32 | UInt64(key) }

  @Test(arguments: 1...20)
  func `it finds what is in it, and nothing else`(seed: Int) {
    var random = Seeded(state: UInt64(seed))
    var index = SlotIndex()
    var slots: [Int: Int] = [:]
    var keys: [Int] = Array(repeating: -1, count: 200)
    for _ in 0..<500 {
      let key = Int.random(in: 0..<100, using: &random)
      if let slot = slots.removeValue(forKey: key) {
        index.remove(slot, of: Self.hash(of: key))
        keys[slot] = -1
      } else {
        let slot = keys.indices.filter { keys[$0] < 0 }.randomElement(using: &random) ?? 0
        index.insert(slot, of: Self.hash(of: key))
        slots[key] = slot
        keys[slot] = key
      }
      #expect(index.count == slots.count)
      for key in 0..<100 {
        let found = index.slot(of: Self.hash(of: key)) { keys[$0] == key }
        #expect(found == slots[key], "key \(key)")
      }
    }
  }

  @Test func `a slot that is not there is not removed`() {
    var index = SlotIndex()
    index.remove(0, of: 1)
    index.insert(3, of: 5 << 32)
    index.remove(4, of: 5 << 32)
    index.remove(3, of: 6 << 32)
    #expect(index.count == 1)
    #expect(index.slot(of: 5 << 32) { _ in true } == 3)
    #expect(index.slot(of: 5 << 32) { _ in false } == nil)
    #expect(index.slot(of: 6 << 32) { _ in true } == nil)
  }
}

/// SplitMix64, so that each run meets the same keys. Source: <https://prng.di.unimi.it/splitmix64.c>
private struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }
}
