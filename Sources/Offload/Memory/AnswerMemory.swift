package import HTTPTransport
package import Primitives

/// Whole answers of upstream, each for one asker, host and request target: pings and tokens.
///
/// Only what allowed something is kept; bounded by number and by the size of a body.
package final class AnswerMemory: Sendable {
  package struct Key: Spread, Sendable {
    let location: LocationID
    let asker: Asker

    /// - Parameter asker: a keyed hash that host, path and query are part of, beside what goes upstream.
    package init(location: LocationID, asker: Asker) {
      self.location = location
      self.asker = asker
    }

    package var spread: UInt64 { asker.low }
  }

  /// A larger body is not remembered, in bytes.
  package static let bodyLimit = 16 << 10

  private let answers: AgingMemory<Key, HTTPResponse>
  private let longest: Duration

  /// - Parameter longest: the longest life of an answer; zero is none.
  package init(longest: Duration, limit: Int = 1024) {
    self.longest = longest
    answers = AgingMemory(limit: limit)
  }

  package var isOff: Bool { longest == .zero }
  package var counts: MemoryCounts { answers.counts }

  package func answer(to key: Key, at now: Moment) -> HTTPResponse? {
    answers.value(of: key, at: now.steady)
  }

  /// Keeps an answer for half of what is left of the token it depends on: whoever gets it last still has
  /// the other half to use it.
  ///
  /// - Parameter end: when that token ends; `nil` when none does.
  package func keep(_ answer: HTTPResponse, to key: Key, tokenEnd end: UnixTime?, at now: Moment) {
    guard answer.head.status == 200, answer.body.count <= Self.bodyLimit else { return }
    let half = end.map { Duration.seconds(max(0, $0 - now.unix)) / 2 } ?? longest
    let life = min(half, longest)
    guard life > .zero else { return }
    answers.keep(answer, of: key, until: now.steady + life.milliseconds, at: now.steady)
  }
}
