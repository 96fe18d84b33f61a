internal import Glibc
internal import Primitives
internal import Registry
internal import Synchronization

/// Remembers when clients were last sent to the bucket, and for which bytes.
///
/// A table of a fixed size with four places in a row: noting a delivery stores one number. Two deliveries that look
/// the same cost one needless look; a fifth in a row replaces the oldest.
@safe
final class Deliveries: Sendable {
  /// A delivery in a place: 32 bits that tell it from others, and 32 of `Moment.steady`. 0 where there is none.
  private typealias Place = Atomic<UInt64>

  /// How long after it was sent to the bucket a client counts as one that comes back, in milliseconds.
  private static var life: UInt32 { 30_000 }
  private static var rowPlaces: Int { 4 }

  // Allocated once, freed by `deinit`, and never written but by atomic stores.
  nonisolated(unsafe) private let places: UnsafeMutablePointer<Place>
  private let rowMask: Int
  private let entries = Atomic(0)
  private let evictions = Atomic(0)

  /// - Parameter limit: deliveries at most; the next power of two is taken.
  init(limit: Int) {
    let limit = 1 << (Int.bitWidth - (max(Self.rowPlaces, limit) - 1).leadingZeroBitCount)
    rowMask = limit / Self.rowPlaces - 1
    // calloc's zeros take no memory until they are written to, so no place is written here.
    guard let zeros = unsafe calloc(limit, MemoryLayout<Place>.stride) else {
      preconditionFailure("out of memory")
    }
    unsafe places = zeros.bindMemory(to: Place.self, capacity: limit)
  }

  deinit { unsafe free(places) }

  var counts: CacheCounts {
    CacheCounts(
      entries: entries.load(ordering: .relaxed), evictions: evictions.load(ordering: .relaxed))
  }

  /// A client was sent to the bucket for these bytes.
  func note(_ request: BlobRequest, at now: Moment) {
    let (row, word) = self.row(of: request, at: now)
    var (oldest, oldestAge) = (row, UInt32(0))
    for place in row..<(row + Self.rowPlaces) {
      let found = unsafe places[place].load(ordering: .relaxed)
      if found == 0 || found >> 32 == word >> 32 {
        unsafe places[place].store(word, ordering: .relaxed)
        if found == 0 { entries.wrappingAdd(1, ordering: .relaxed) }
        return
      }
      let age = Self.age(of: found, at: word)
      if age >= oldestAge { (oldest, oldestAge) = (place, age) }
    }
    if oldestAge < Self.life { evictions.wrappingAdd(1, ordering: .relaxed) }
    unsafe places[oldest].store(word, ordering: .relaxed)
  }

  /// Whether this client was sent to the bucket for the same bytes not long ago: perhaps it did not get them.
  func isRepeat(_ request: BlobRequest, at now: Moment) -> Bool { age(of: request, at: now) != nil }

  /// How long ago that was, in milliseconds.
  func age(of request: BlobRequest, at now: Moment) -> UInt32? {
    let (row, word) = self.row(of: request, at: now)
    for place in row..<(row + Self.rowPlaces) {
      let found = unsafe places[place].load(ordering: .relaxed)
      guard found != 0, found >> 32 == word >> 32 else { continue }
      let age = Self.age(of: found, at: word)
      return age < Self.life ? age : nil
    }
    return nil
  }

  /// The last step of SplitMix64. Source: <https://prng.di.unimi.it/splitmix64.c>
  private static func mixed(_ number: UInt64) -> UInt64 {
    var number = (number ^ number >> 30) &* 0xBF58_476D_1CE4_E5B9
    number = (number ^ number >> 27) &* 0x94D0_49BB_1331_11EB
    return number ^ number >> 31
  }

  private static func age(of place: UInt64, at word: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: word) &- UInt32(truncatingIfNeeded: place)
  }

  /// The first place of a delivery's row, and what is stored of it now.
  private func row(of request: BlobRequest, at now: Moment) -> (Int, UInt64) {
    var hash = request.client ?? request.query.fingerprint.low
    hash = Self.mixed(hash ^ request.path.digest.lowBits)
    hash = Self.mixed(hash ^ request.bytes ^ request.query.location.bits)
    // Never 0: that is an empty place.
    let word = (hash | 1 << 32) & ~0xFFFF_FFFF | UInt64(UInt32(truncatingIfNeeded: now.steady))
    return ((Int(truncatingIfNeeded: hash) & rowMask) * Self.rowPlaces, word)
  }
}

extension Digest {
  /// The last 16 digits, as they stand.
  fileprivate var lowBits: UInt64 {
    var bits: UInt64 = 0
    for i in (bytes.count - 16)..<bytes.count { bits = bits &* 31 &+ UInt64(bytes[i]) }
    return bits
  }
}
