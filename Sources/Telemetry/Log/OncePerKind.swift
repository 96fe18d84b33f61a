internal import Synchronization

/// Lets the first event of each kind through.
final class OncePerKind<Kind: Hashable & Sendable>: Sendable {
  private let told = Mutex<Set<Kind>>([])

  func allow(_ kind: Kind) -> Bool { told.withLock { $0.insert(kind).inserted } }
}
