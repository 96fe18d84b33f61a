internal import Synchronization

/// The clients that read along with a fill now, in the whole process.
///
/// An upload takes of the processors and of the line what they could have. S3 can wait, clients can't.
final class ReadersAlong: Sendable {
  /// How long an upload leaves the machine to clients at most. Without an end, one slow client would keep blobs out of
  /// the bucket.
  static let courtesy = Duration.seconds(10)

  private let count = Atomic(0)

  var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

  func add(_ change: Int) { count.wrappingAdd(change, ordering: .relaxed) }
}
