package import Logging
internal import Synchronization

/// The notices that hold now. The log gets a line when one begins; the page and a metric show it as long as it holds.
package final class Notices: Sendable {
  private struct State {
    var sentences: [Notice: String] = [:]
    var logged: Set<Notice> = []
  }

  private let logger: Logger
  private let state = Mutex(State())

  package init(_ logger: Logger) { self.logger = logger }

  /// The notices that hold with their sentences, in the order of the cases.
  package var all: [(notice: Notice, sentence: String)] {
    let sentences = state.withLock { $0.sentences }
    return Notice.allCases.compactMap { notice in sentences[notice].map { (notice, $0) } }
  }

  func holds(_ notice: Notice) -> Bool { state.withLock { $0.sentences[notice] != nil } }

  /// Raises a notice.
  ///
  /// - Parameter sentence: what bloblo has found, and what to do. No secret.
  package func raise(_ notice: Notice, _ sentence: String) {
    let isNews = state.withLock { state in
      guard state.sentences.updateValue(sentence, forKey: notice) == nil else { return false }
      return state.logged.insert(notice).inserted || notice.isLoggedEachTime
    }
    guard isNews else { return }
    logger.warning(
      "\(notice.message)", metadata: ["notice": "\(notice.word)", "advice": "\(sentence)"])
  }

  /// Ends a notice.
  ///
  /// - Parameter message: the log message, if the end is worth one.
  package func lower(_ notice: Notice, saying message: String? = nil) {
    let held = state.withLock { $0.sentences.removeValue(forKey: notice) != nil }
    if held, let message { logger.warning("\(message)", metadata: ["notice": "\(notice.word)"]) }
  }
}
