internal import Synchronization

/// Something that one of several does, whichever comes first.
final class Turn: Sendable {
  private let isTaken = Atomic(false)

  /// Whether the caller is the first.
  func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
}
