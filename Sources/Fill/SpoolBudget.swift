internal import Threading

/// The bytes that all spools together may hold.
package final class SpoolBudget: Sendable {
  private let limit: Int64
  private let used = Monitor<Int64>(0)

  package init(limit: Int64) { self.limit = limit }

  /// The bytes in use now.
  package var usedBytes: Int64 { used.withLock { $0 } }

  /// Takes room for a blob.
  ///
  /// - Parameter waits: wait until others have given theirs back.
  /// - Returns: `nil` when there is not enough; to who waits, when there never will be.
  func reserve(_ bytes: Int64, waits: Bool = false) -> Reservation? {
    guard (0...limit).contains(bytes) else { return nil }
    let isGranted: Bool? = used.wait { used in
      guard bytes <= limit - used else { return waits ? nil : false }
      used += bytes
      return true
    }
    return isGranted == true ? Reservation(bytes: bytes, of: self) : nil
  }

  private func take(_ more: Int64) -> Bool {
    used.update { used in
      guard more <= limit - used else { return false }
      used += more
      return true
    }
  }

  /// Room that is given back when it is let go of.
  struct Reservation: ~Copyable, Sendable {
    private(set) var bytes: Int64
    private let budget: SpoolBudget

    fileprivate init(bytes: Int64, of budget: SpoolBudget) {
      self.bytes = bytes
      self.budget = budget
    }

    /// Takes more room, or gives some back.
    ///
    /// - Returns: `false` when there is not enough; nothing has changed then.
    mutating func resize(to newBytes: Int64) -> Bool {
      let more = newBytes - bytes
      guard budget.take(more) else { return false }
      bytes = newBytes
      return true
    }

    /// What all who have reserved may come to.
    var bytesOfAll: Int64 { budget.usedBytes }

    deinit {
      let bytes = bytes
      budget.used.update { $0 -= bytes }
    }
  }
}
