import Offload
import Synchronization

/// Questions that are being asked now: whoever has the same one waits for the same answer, and costs no
/// thread meanwhile.
final class Flights: Sendable {
  private let waiting = Mutex<[Question: [BlobExchange]]>([:])

  /// Joins those who wait for the same answer.
  ///
  /// - Returns: `false` for the first one, who has to ask, and then to `land`.
  func join(_ exchange: BlobExchange) -> Bool {
    waiting.withLock { waiting in
      let key = exchange.blob.question
      guard waiting[key] != nil else {
        waiting[key] = []
        return false
      }
      waiting[key]?.append(exchange)
      return true
    }
  }

  /// Ends the asking.
  ///
  /// - Returns: those who have joined meanwhile.
  func land(_ exchange: BlobExchange) -> [BlobExchange] {
    waiting.withLock { $0.removeValue(forKey: exchange.blob.question) ?? [] }
  }
}
