/// Finds the slots of an array by a hash of what is in them: open addressing with linear probing.
///
/// It knows no keys. A place holds half of a hash and the number of a slot. So a search touches nothing else until it
/// has very likely found its slot. Neither growth nor a removal hashes a key again.
///
/// Source: Knuth, The Art of Computer Programming, volume 3, section 6.4, algorithms L and R.
package struct SlotIndex: Sendable {
  /// The upper half is that of the hash, the lower one the slot's number plus one; 0 where there is none. Half of the
  /// places or more are empty.
  private var places: [UInt64] = []
  package private(set) var count = 0

  package init() {}

  /// The first slot of this hash where `isMeant`.
  package func slot(of hash: UInt64, where isMeant: (Int) -> Bool) -> Int? {
    guard count > 0 else { return nil }
    var at = home(of: hash)
    while places[at] != 0 {
      if places[at] >> 32 == hash >> 32, isMeant(slot(at)) { return slot(at) }
      at = next(at)
    }
    return nil
  }

  /// - Parameter slot: below 2³².
  package mutating func insert(_ slot: Int, of hash: UInt64) {
    if (count + 1) * 2 > places.count { grow() }
    place(hash & ~0xFFFF_FFFF | UInt64(slot + 1))
    count += 1
  }

  /// Removes a slot that was inserted with this hash.
  package mutating func remove(_ slot: Int, of hash: UInt64) {
    guard count > 0 else { return }
    var hole = home(of: hash)
    while self.slot(hole) != slot {
      guard places[hole] != 0 else { return }
      hole = next(hole)
    }
    // What was put behind the hole because of it comes forward.
    var at = next(hole)
    while places[at] != 0 {
      if distance(from: home(of: places[at]), to: at) >= distance(from: hole, to: at) {
        places[hole] = places[at]
        hole = at
      }
      at = next(at)
    }
    places[hole] = 0
    count -= 1
  }

  private mutating func grow() {
    let smaller = places
    places = Array(repeating: 0, count: max(8, smaller.count * 2))
    for entry in smaller where entry != 0 { place(entry) }
  }

  private mutating func place(_ entry: UInt64) {
    var at = home(of: entry)
    while places[at] != 0 { at = next(at) }
    places[at] = entry
  }

  private func home(of hash: UInt64) -> Int { Int(hash >> 32) & (places.count - 1) }
  private func next(_ at: Int) -> Int { (at + 1) & (places.count - 1) }
  private func slot(_ at: Int) -> Int { Int(places[at] & 0xFFFF_FFFF) - 1 }
  private func distance(from: Int, to: Int) -> Int { (to - from) & (places.count - 1) }
}
