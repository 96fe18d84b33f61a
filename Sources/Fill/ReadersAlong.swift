internal import Synchronization

/// The clients that read along with a fill now, in the whole process.
///
/// An upload competes with them for processors and network. S3 can wait, clients can't. But a fill whose upload waits
/// keeps its place among the fills: when all places are taken, no upload waits.
final class ReadersAlong: Sendable {
  /// How long uploads still wait after the last client has gone: one that pulls an image soon asks for the next layer.
  static let pause = Duration.seconds(1)

  private let places: Int
  private let count = Atomic(0)
  private let fills = Atomic(0)
  private let isStopping = Atomic(false)
  private let pause: Duration
  private let lastEnd = Mutex<ContinuousClock.Instant?>(nil)

  /// - Parameter places: how many fills run at a time.
  init(places: Int, pause: Duration = ReadersAlong.pause) {
    self.places = places
    self.pause = pause
  }

  var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

  /// Whether uploads wait for them.
  var comeFirst: Bool {
    guard fills.load(ordering: .relaxed) < places, !isStopping.load(ordering: .relaxed) else {
      return false
    }
    return !isEmpty || lastEnd.withLock { $0.map { .now - $0 < pause } ?? false }
  }

  /// A client begins to read along.
  func begin() { count.wrappingAdd(1, ordering: .relaxed) }

  /// A client has ended, or has gone.
  func end() {
    lastEnd.withLock { $0 = .now }
    count.wrappingSubtract(1, ordering: .relaxed)
  }

  /// The process is about to end: what is not up soon is lost.
  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// - Parameter change: 1 when a fill takes a place, -1 when it leaves it.
  func addFill(_ change: Int) { fills.wrappingAdd(change, ordering: .relaxed) }
}
