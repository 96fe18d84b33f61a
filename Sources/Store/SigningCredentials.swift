internal import Primitives
package import S3

/// The credentials that sign requests and clients' URLs.
package final class SigningCredentials: Sendable {
  /// S3's clock as the process's own bucket shows it.
  package let clock = ServerClock()
  package let store: CredentialStore
  /// `nil` when the same credential signs both.
  package let presignStore: CredentialStore?
  package let record = CredentialRecord()
  private let isFixed: Bool

  /// - Parameters:
  ///   - fixed: used instead of what the chain finds.
  ///   - presign: for clients' URLs only.
  package init(_ chain: CredentialChain, fixed: Credential?, presign: Credential?) {
    isFixed = fixed != nil
    presignStore = presign.map { CredentialStore($0, source: "BLOBLO_PRESIGN_ACCESS_KEY_ID") }
    store =
      fixed.map { CredentialStore($0, source: "BLOBLO_USE_LOCALSTACK") }
      ?? CredentialStore(chain, observer: record) { [clock] in clock.time(at: .now()) }
  }

  /// Fetches the credential, and keeps it fresh from then on.
  ///
  /// - Throws: when no source is set up, or one is set up wrongly. A source that does not answer now is asked again
  ///   in the background; until it answers, nothing is signed.
  package func start(
    tellingTo observer: (any CredentialObserver & BucketObserver)? = nil
  ) throws(CredentialsError) {
    if let observer { record.begin(observer) }
    guard !isFixed else { return }
    let problems = store.start().problems
    if !problems.isEmpty { throw CredentialsError(problems: problems) }
  }
}

/// Why no source of credentials can be used, one sentence each.
package struct CredentialsError: Error {
  package let problems: [String]
}

extension CredentialChain.Outcome {
  /// The errors that only the operator can correct.
  package var problems: [String] {
    switch self {
    case .found: []
    case .failed(let error): error.kind == .misconfigured ? ["AWS credentials: \(error)"] : []
    case .absent(let reasons):
      [
        "AWS credentials: none found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source:"
      ] + reasons.map { "  \($0)" }
    }
  }
}

/// Its parts hold the environment, secrets included: it never describes itself.
extension SigningCredentials: CustomStringConvertible, CustomReflectable {
  package var description: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
