internal import HTTPTransport
internal import Synchronization

/// What is known of how a registry takes HEADs of blobs, so that a wrong password is not tried twice for one request.
///
/// Some registries answer 401 to every HEAD, also with a valid token (ECR Public): there a GET tells. One that has
/// answered any HEAD means its 401. All who ask one registry share it.
package final class HeadExperience: Sendable {
  private static let credentialLimit = 1024
  private static let pauseMilliseconds: Int64 = 60_000

  private struct State {
    /// Whether a GET has proved what a HEAD was refused.
    var isHeadOfNoUse = false
    /// When a credential was tried by GET last, as `Moment.steady`; by a keyed hash. One that a GET has let in is not
    /// here.
    var tried: [Int: Int64] = [:]
  }

  private let isAnswering = Atomic(false)
  private let state = Mutex(State())

  package init() {}

  func noteAnswer(status: Int) {
    if 200..<400 ~= status { isAnswering.store(true, ordering: .relaxed) }
  }

  /// Whether a 401 to a HEAD may be asked about again by GET: until the registry has answered a HEAD, once a minute
  /// for each credential that no GET has let in.
  func mayTryGet(_ client: ClientFields, at now: Int64) -> Bool {
    guard !isAnswering.load(ordering: .relaxed) else { return false }
    let credential = client.credentialHash
    return state.withLock { state in
      if let last = state.tried[credential], now - last < Self.pauseMilliseconds { return false }
      return state.isHeadOfNoUse || Self.note(credential, in: &state, at: now)
    }
  }

  /// Takes what a GET said after a HEAD's 401.
  func noteSecondTry(_ client: ClientFields, isProof: Bool, at now: Int64) {
    let credential = client.credentialHash
    state.withLock { state in
      if isProof {
        state.isHeadOfNoUse = true
        state.tried[credential] = nil
      } else {
        _ = Self.note(credential, in: &state, at: now)
      }
    }
  }

  /// - Returns: `false` when there is no room: so many at once are no clients of one registry's.
  private static func note(_ credential: Int, in state: inout State, at now: Int64) -> Bool {
    if state.tried.count >= credentialLimit {
      state.tried = state.tried.filter { now - $0.value < pauseMilliseconds }
      guard state.tried.count < credentialLimit else { return false }
    }
    state.tried[credential] = now
    return true
  }
}

extension ClientFields {
  /// By this process's own key.
  fileprivate var credentialHash: Int {
    var hasher = Hasher()
    for field in fields where isCredential(field) {
      hasher.combine(field.name.lowercased())
      hasher.combine(field.value)
    }
    return hasher.finalize()
  }
}
