internal import Threading

/// The bytes that all spools together may hold.
package final class SpoolBudget: Sendable {
  private let limit: Int64
  private let used = Monitor<Int64>(0)

  package init(limit: Int64) { self.limit = limit }

  /// The bytes in use now.
  package var usedBytes: Int64 { used.withLock { $0 } }

  /// Takes room for a blob; `nil` when there is not enough.
  func reserve(_ bytes: Int64) -> Reservation? {
    let isGranted = used.withLock { used in
      guard bytes >= 0, bytes <= limit - used else { return false }
      used += bytes
      return true
    }
    return isGranted ? Reservation(bytes: bytes, of: self) : nil
  }

  /// Room that is given back when it is let go of.
  struct Reservation: ~Copyable, Sendable {
    let bytes: Int64
    private let budget: SpoolBudget

    fileprivate init(bytes: Int64, of budget: SpoolBudget) {
      self.bytes = bytes
      self.budget = budget
    }

    /// What all who have reserved may come to.
    var bytesOfAll: Int64 { budget.usedBytes }

    deinit {
      let bytes = bytes
      budget.used.withLock { $0 -= bytes }
    }
  }
}
