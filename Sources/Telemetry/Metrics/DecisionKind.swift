/// The decision on a request. Passes are counted by their reasons instead.
package enum DecisionKind: Int, Sendable, CaseIterable {
  case answer, redirect, accelerate, tee, multipart
  /// A ping or a token request, answered from memory or just learnt.
  case remember
  /// The authorizer's yes and no.
  case authorize, deny

  package var word: String { "\(self)" }
}

/// How a blob's bytes get to a client.
package enum DeliveryPath: Int, Sendable, CaseIterable {
  case redirected, accelerated, teed, passed

  package var word: String { "\(self)" }

  /// Whether the registry does not send the bytes.
  var isOffloaded: Bool { self == .redirected || self == .accelerated }
}

/// Why a fill failed.
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
