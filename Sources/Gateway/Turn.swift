internal import Synchronization

/// Lets exactly one of several callers act: the first.
final class Turn: Sendable {
  private let isTaken = Atomic(false)

  /// Whether the caller is the first.
  func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
}
