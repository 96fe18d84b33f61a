internal import Threading

/// The fills that wait or run now, one for each key: those who come later read along.
final class FillTable: Sendable {
  private struct State {
    var fills: [String: BlobFill] = [:]
    var isGivenUp = false
  }

  private let state = Monitor(State())

  /// The fill of `name` that is there, or the one that `start` makes.
  func find(_ name: String, orStart start: () -> BlobFill?) -> BlobFill? {
    state.withLock { state in
      if let running = state.fills[name] { return running }
      let fill = start()
      state.fills[name] = fill
      return fill
    }
  }

  var all: [BlobFill] { state.withLock { Array($0.fills.values) } }

  func remove(_ name: String) {
    state.update { state in state.fills[name] = nil }
  }

  func waitUntilEmpty(within limit: Duration) -> Bool {
    state.wait(for: limit) { $0.fills.isEmpty ? true : nil } ?? false
  }

  /// All fills are to end as soon as they can.
  func giveUp() { state.update { $0.isGivenUp = true } }

  var isGivenUp: Bool { state.withLock { $0.isGivenUp } }
}
