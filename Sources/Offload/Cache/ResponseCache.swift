package import HTTPTransport
package import Primitives
package import Registry

/// Whole answers of upstream, each for one client, host and request target: pings and tokens.
///
/// Keeps only answers with status 200; bounded by their number and by the size of a body.
package final class ResponseCache: Sendable {
  package struct Key: CacheKey, Sendable {
    let location: LocationID
    let fingerprint: ClientFingerprint

    /// - Parameter fingerprint: a keyed hash that host, path and query are part of, beside what goes upstream.
    package init(location: LocationID, fingerprint: ClientFingerprint) {
      self.location = location
      self.fingerprint = fingerprint
    }
  }

  /// The largest body that is remembered, in bytes.
  package static let bodyLimit = 16 << 10

  private struct Remembered: Sendable {
    let answer: HTTPResponse
    /// What the answer says, when it is a token's: a part of that changes with time.
    let token: TokenResponse?
    let since: Moment
  }

  private let answers: TTLCache<Key, Remembered>
  private let longest: Duration

  /// - Parameter longest: the longest life of an answer; zero is none.
  package init(longest: Duration, limit: Int = 1024) {
    self.longest = longest
    answers = TTLCache(limit: limit)
  }

  package var isOff: Bool { longest == .zero }
  package var counts: CacheCounts { answers.counts }

  /// - Returns: a token's answer says what is left of the token's life, to the second and never more.
  package func answer(to key: Key, at now: Moment) -> HTTPResponse? {
    guard let remembered = answers.value(of: key, at: now.steady) else { return nil }
    guard let token = remembered.token else { return remembered.answer }
    let passed = (now.steady - remembered.since.steady) / 1000
    // By the clock that went further; the begun second is gone.
    let time = max(now.unix, remembered.since.unix + passed) + 1
    guard let body = token.body(secondsLeft: token.expiration - time) else { return nil }
    return HTTPResponse(head: remembered.answer.head, body: body)
  }

  /// Keeps the answer to a ping for half of what is left of the credential that it depends on.
  ///
  /// - Parameter end: when that ends; `nil` when it does not.
  package func keep(_ answer: HTTPResponse, to key: Key, tokenEnd end: UnixTime?, at now: Moment) {
    keep(Remembered(answer: answer, token: nil, since: now), to: key, end)
  }

  /// Keeps a token for half of its life, if its answer can say what is left of it. The last client that gets it still
  /// has the other half.
  ///
  /// - Parameter now: when it was asked for.
  package func keep(_ answer: HTTPResponse, _ token: TokenResponse, to key: Key, at now: Moment) {
    guard token.body(secondsLeft: token.expiration - now.unix) != nil else { return }
    keep(Remembered(answer: answer, token: token, since: now), to: key, token.expiration)
  }

  private func keep(_ remembered: Remembered, to key: Key, _ end: UnixTime?) {
    let (answer, now) = (remembered.answer, remembered.since)
    guard answer.head.status == 200, answer.body.count <= Self.bodyLimit else { return }
    let half = end.map { Duration.seconds(max(0, $0 - now.unix)) / 2 } ?? longest
    let life = min(half, longest)
    guard life > .zero else { return }
    answers.keep(remembered, of: key, until: now.steady + life.milliseconds, at: now.steady)
  }
}
