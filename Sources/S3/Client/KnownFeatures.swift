internal import HTTPTransport
internal import Threading

/// What a bucket has refused to take with uploads, remembered for all who use it.
final class KnownFeatures: Sendable {
  private struct State {
    var features = UploadFeatures.all
    var isTrialRunning = false
    var trialEnd: ContinuousClock.Instant?
  }

  /// What to do after a refusal.
  enum Turn: Sendable {
    /// Try whether less is taken, and then call `endTrial`.
    case trial
    /// Send this: another trial has found it out.
    case fewer(UploadFeatures)
    /// The refusal is for something else.
    case none
  }

  /// Between two trials that came to nothing: then the refusal was for something else.
  private static let trialInterval = Duration.seconds(60)
  /// How long an upload waits for the outcome of another's trial. A trial sends a whole part.
  private static let patience = Duration.seconds(60)

  private let state = Monitor(State())

  var features: UploadFeatures { state.withLock { $0.features } }

  /// Waits while another tries with less.
  ///
  /// - Parameter sent: what was refused.
  func turn(after sent: UploadFeatures) -> Turn {
    state.wait(for: Self.patience) { state in
      let left = sent.intersection(state.features)
      if left != sent { return .fewer(left) }
      if state.isTrialRunning { return nil }
      let now = ContinuousClock.now
      if let end = state.trialEnd, now < end { return Turn.none }
      state.isTrialRunning = true
      state.trialEnd = now + Self.trialInterval
      return .trial
    } ?? .none
  }

  enum Finding: Sendable {
    /// The server takes this.
    case taken(UploadFeatures)
    /// It was for something else.
    case refused
    /// The server gave no answer, or was in trouble: the next may try.
    case unknown
  }

  func endTrial(_ finding: Finding, insteadOf sent: UploadFeatures) {
    state.update { state in
      state.isTrialRunning = false
      switch finding {
      case .taken(let taken):
        state.features.subtract(sent.subtracting(taken))
        state.trialEnd = nil
      case .refused: break
      case .unknown: state.trialEnd = nil
      }
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
    var features = wanted.intersection(site.known.features)
    while true {
      let answer = try send(features)
      guard case .refused(let refusal) = answer else { return answer }
      let others = features.fewer(after: refusal)
      guard !others.isEmpty else { return answer }
      switch site.known.turn(after: features) {
      case .trial: return try tryFewer(others, than: features, send) ?? answer
      case .fewer(let fewer): features = fewer
      case .none: return answer
      }
    }
  }

  /// - Returns: `nil` when the server refuses all of them.
  private func tryFewer(
    _ others: [UploadFeatures], than features: UploadFeatures,
    _ send: (UploadFeatures) throws(S3Error) -> UploadAnswer
  ) throws(S3Error) -> UploadAnswer? {
    var finding = KnownFeatures.Finding.unknown
    defer { site.known.endTrial(finding, insteadOf: features) }
    for fewer in others {
      let answer = try send(fewer)
      guard case .taken(let response) = answer else { continue }
      // A key that may not write, and a server in trouble, say nothing of what was left out.
      switch response.head.status {
      case 403: finding = .refused
      case 500...: break
      default: finding = .taken(fewer)
      }
      return answer
    }
    finding = .refused
    return nil
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
