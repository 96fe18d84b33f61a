internal import HTTPTransport
internal import Synchronization

/// What a bucket has refused to take with uploads, remembered for all who use it.
final class KnownFeatures: Sendable {
  private struct State {
    var features = UploadFeatures.all
    var trialEnd: ContinuousClock.Instant?
  }

  /// Between two trials that came to nothing: then the refusal was for something else.
  private static let trialInterval = Duration.seconds(60)

  private let state = Mutex(State())

  var features: UploadFeatures { state.withLock { $0.features } }

  /// Whether it may be tried now whether less would be taken.
  func takeTrial(at now: ContinuousClock.Instant) -> Bool {
    state.withLock { state in
      if let end = state.trialEnd, now < end { return false }
      state.trialEnd = now + Self.trialInterval
      return true
    }
  }

  /// The server has refused `before`, and takes `after`.
  func learn(_ after: UploadFeatures, insteadOf before: UploadFeatures) {
    state.withLock { state in
      state.features.subtract(before.subtracting(after))
      state.trialEnd = nil
    }
  }
}

extension BucketClient {
  /// Sends an upload with all that the server knows; once more with less where it refuses that, which is
  /// remembered for the bucket.
  ///
  /// - Parameter wanted: of what could be sent.
  func sendUpload(
    with wanted: UploadFeatures, _ send: (UploadFeatures) throws(S3Error) -> UploadAnswer
  ) throws(S3Error) -> UploadAnswer {
    let features = wanted.intersection(site.known.features)
    let answer = try send(features)
    guard case .refused(let refusal) = answer else { return answer }
    let others = features.fewer(after: refusal)
    guard !others.isEmpty, site.known.takeTrial(at: .now) else { return answer }
    for fewer in others {
      let other = try send(fewer)
      guard case .taken(let response) = other else { continue }
      // A key that may not write, and a server in trouble, say nothing of what was left out.
      if response.head.status != 403, response.head.status < 500 {
        site.known.learn(fewer, insteadOf: features)
      }
      return other
    }
    return answer
  }
}

/// An answer to an upload, as far as what was sent with it is concerned.
enum UploadAnswer {
  case taken(HTTPResponse)
  case refused(S3ErrorResponse)

  /// - Parameter isUnsigned: whether the signature does not cover the body.
  init(_ response: HTTPResponse, isUnsigned: Bool = false) {
    let refusal = S3ErrorResponse(response)
    let isRefused = refusal.isOfUnknownField || isUnsigned && refusal.isOfUnsignedBody
    self = response.head.status >= 400 && isRefused ? .refused(refusal) : .taken(response)
  }

  /// The response, where it was not refused for a field.
  func response(_ operation: S3Error.Operation) throws(S3Error) -> HTTPResponse {
    switch self {
    case .taken(let response): return response
    case .refused(let refusal): throw .refused(operation, refusal)
    }
  }
}
