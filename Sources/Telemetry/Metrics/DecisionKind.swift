/// What became of a request, passes apart: they are counted by their reasons.
package enum DecisionKind: Int, Sendable, CaseIterable {
  case answer, redirect, accelerate, tee, multipart
  /// A ping or a token from memory, or just learnt.
  case remember
  /// An authorizer's yes, and its no.
  case authorize, deny

  package var word: String { "\(self)" }
}

/// The ways by which a blob's bytes get to clients.
package enum Road: Int, Sendable, CaseIterable {
  case redirected, accelerated, teed, passed

  package var word: String { "\(self)" }

  /// Whether the registry is spared the bytes.
  var isOffloaded: Bool { self == .redirected || self == .accelerated }
}

/// Why a fill came to nothing.
package enum FillFailure: Int, Sendable, CaseIterable {
  case spool, noRoom, stale, upstream, short, long, wrongDigest, store, stopping

  package var word: String {
    switch self {
    case .noRoom: "no-room"
    case .wrongDigest: "wrong-digest"
    case .store: "s3"
    default: "\(self)"
    }
  }
}
