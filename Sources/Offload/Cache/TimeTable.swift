internal import Synchronization

/// When things last happened, as `Moment.steady`.
///
/// It has a fixed size, and things that share a place share their times: a thing may seem to have happened that did
/// not. Nothing is evicted, so no time is forgotten.
final class TimeTable: Sendable {
  private static var placeCount: Int { 2048 }
  /// So far back that a life can be added to it.
  static var never: Int64 { .min / 2 }

  private let places = InlineArray<2048, Atomic<Int64>> { _ in Atomic(never) }
  /// Whether nothing has happened yet: then no place is looked up.
  private let isUnused = Atomic(true)

  func note(_ thing: some Hashable, at now: Int64) {
    places[place(of: thing)].max(now, ordering: .acquiringAndReleasing)
    isUnused.store(false, ordering: .releasing)
  }

  /// The distant past if it never happened.
  func last(_ thing: some Hashable) -> Int64 {
    isUnused.load(ordering: .acquiring)
      ? Self.never : places[place(of: thing)].load(ordering: .acquiring)
  }

  private func place(of thing: some Hashable) -> Int {
    thing.hashValue & (Self.placeCount - 1)
  }
}
