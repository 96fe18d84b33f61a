internal import Registry

extension PassReason {
  /// A reason without the details of the request. Metrics count by it.
  package enum Kind: Int, Sendable, CaseIterable {
    case notABlobRequest, loop, deletion, notRemembered, wrongParams, requestBody, delivery,
      switchedOff
    case purged
    case conditional, range
    case otherValidator, upstreamStatus, upstreamName, upstreamPage, upstreamRedirect,
      upstreamDigest
    case upstreamUnreachable, unknownSize, smallBlob, store, road, unread, storeDenied,
      noAcceleration, longURL,
      busy
    case coldFillIsOff, coldBackground, coldRange, coldRedirect, coldLimit, coldUpstream

    /// Its name in logs and metrics.
    package var word: String {
      switch self {
      case .notABlobRequest: "not-a-blob-request"
      case .loop: "loop"
      case .deletion: "delete"
      case .notRemembered: "not-remembered"
      case .wrongParams: "wrong-params"
      case .requestBody: "request-body"
      case .delivery: "delivery"
      case .switchedOff: "switched-off"
      case .purged: "purged"
      case .conditional: "conditional"
      case .range: "range"
      case .otherValidator: "if-range"
      case .upstreamStatus: "upstream-status"
      case .upstreamName: "upstream-name"
      case .upstreamPage: "upstream-page"
      case .upstreamRedirect: "upstream-redirect"
      case .upstreamDigest: "upstream-digest"
      case .upstreamUnreachable: "upstream-unreachable"
      case .unknownSize: "unknown-size"
      case .smallBlob: "small-blob"
      case .store: "s3"
      case .road: "road"
      case .unread: "unread"
      case .storeDenied: "s3-denied"
      case .noAcceleration: "no-acceleration"
      case .longURL: "long-url"
      case .busy: "busy"
      case .coldFillIsOff: "cold-fill-off"
      case .coldBackground: "cold-background"
      case .coldRange: "cold-range"
      case .coldRedirect: "cold-redirect"
      case .coldLimit: "cold-limit"
      case .coldUpstream: "cold-upstream"
      }
    }
  }

  package var kind: Kind {
    switch self {
    case .notABlobRequest: .notABlobRequest
    case .loop: .loop
    case .deletion: .deletion
    case .notRemembered: .notRemembered
    case .wrongParams: .wrongParams
    case .requestBody: .requestBody
    case .delivery: .delivery
    case .switchedOff: .switchedOff
    case .purged: .purged
    case .conditional: .conditional
    case .range: .range
    case .otherValidator: .otherValidator
    case .unproven(.status): .upstreamStatus
    case .unproven(.otherName): .upstreamName
    case .unproven(.page): .upstreamPage
    case .unproven(.redirectElsewhere): .upstreamRedirect
    case .unproven(.otherDigest): .upstreamDigest
    case .unproven(.unconnected), .unproven(.unreachable): .upstreamUnreachable
    case .unproven(.unasked): .busy
    case .unknownSize: .unknownSize
    case .smallBlob: .smallBlob
    case .store: .store
    case .road: .road
    case .unread: .unread
    case .storeDenied: .storeDenied
    case .noAcceleration: .noAcceleration
    case .longURL: .longURL
    case .busy, .line: .busy
    case .cold(.fillIsOff): .coldFillIsOff
    case .cold(.background): .coldBackground
    case .cold(.range): .coldRange
    case .cold(.redirect): .coldRedirect
    case .cold(.limit): .coldLimit
    case .cold(.upstream): .coldUpstream
    }
  }

  /// Whether the bucket, or the clients' way to it, is in trouble.
  package var isOfBucket: Bool {
    switch self {
    case .store, .storeDenied, .road: true
    default: false
    }
  }

  /// Details for the log, without a secret.
  package var words: String? {
    switch self {
    case .store(let words), .road(let words), .unread(let words), .storeDenied(let words),
      .unproven(.unconnected(let words)), .unproven(.unreachable(let words)),
      .unproven(.unasked(let words)), .line(let words),
      .cold(.upstream(let words)), .cold(.redirect(let words)):
      words
    case .unproven(.status(let status)): "status \(status)"
    default: nil
    }
  }
}
