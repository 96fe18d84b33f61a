internal import Synchronization

/// The clients that read along with a fill now, in the whole process.
///
/// An upload competes with them for processors and network. S3 can wait, clients can't. But a fill whose upload waits
/// keeps its place among the fills: when all places are taken, no upload waits.
final class ReadersAlong: Sendable {
  /// How long an upload leaves the machine to clients at most. Without an end, one slow client would keep blobs out of
  /// the bucket.
  static let courtesy = Duration.seconds(10)

  private let places: Int
  private let count = Atomic(0)
  private let fills = Atomic(0)
  private let isStopping = Atomic(false)

  /// - Parameter places: how many fills run at a time.
  init(places: Int) { self.places = places }

  var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

  /// Whether uploads wait for them.
  var comeFirst: Bool {
    !isEmpty && fills.load(ordering: .relaxed) < places && !isStopping.load(ordering: .relaxed)
  }

  /// - Parameter change: 1 when a client begins to read along, -1 when it ends.
  func add(_ change: Int) { count.wrappingAdd(change, ordering: .relaxed) }

  /// The process is about to end: what is not up soon is lost.
  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// - Parameter change: 1 when a fill takes a place, -1 when it leaves it.
  func addFill(_ change: Int) { fills.wrappingAdd(change, ordering: .relaxed) }
}
