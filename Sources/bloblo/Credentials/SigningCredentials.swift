import HTTPTransport
import Logging
import Primitives
import S3

/// What is signed with: for requests, and for clients' URLs.
final class SigningCredentials: Sendable {
  /// S3's clock as the process's own bucket shows it.
  let clock = ServerClock()
  let store: CredentialStore
  /// `nil` for the same.
  let presignStore: CredentialStore?
  let log = CredentialLog()
  private let isFixed: Bool

  /// - Parameters:
  ///   - fixed: instead of what the chain finds.
  ///   - presign: for clients' URLs only.
  init(_ chain: CredentialChain, fixed: Credential?, presign: Credential?) {
    isFixed = fixed != nil
    presignStore = presign.map { CredentialStore($0, source: "BLOBLO_PRESIGN_ACCESS_KEY_ID") }
    store =
      fixed.map { CredentialStore($0, source: "BLOBLO_USE_LOCALSTACK") }
      ?? CredentialStore(chain, observer: log) { [clock] in clock.time(at: .now()) }
  }

  /// Fetches the credential, and keeps it fresh from then on.
  ///
  /// - Throws: when no source is set up, or one is set up wrongly; a source that does not answer now is
  ///   waited for, and until then nothing is signed.
  func start(_ logger: Logger) throws(SettingsError) {
    log.begin(logger)
    guard !isFixed else { return }
    let problems = store.start().problems
    if !problems.isEmpty { throw SettingsError(problems: problems) }
  }
}

extension CredentialChain.Outcome {
  /// What only the operator can mend.
  fileprivate var problems: [String] {
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

/// What is wrong with the credential where other settings are wrong: who mends those mends it in the same
/// round. The sources are asked for it, as at a start.
func credentialProblems(
  _ environment: [String: String], beside error: SettingsError
) -> [String] {
  var reader = SettingsReader(environment)
  // Settings of the credential are among the mistakes already.
  guard !reader.boolean("BLOBLO_USE_LOCALSTACK", default: false),
    !error.problems.contains(where: { $0.hasPrefix("AWS_SECRET_ACCESS_KEY:") })
  else { return [] }
  var http = HTTPClient()
  return CredentialChain(environment: environment).load(over: &http, now: .now()).problems
}

/// Its parts hold the environment, and with it what must not be shown.
extension SigningCredentials: CustomStringConvertible, CustomReflectable {
  var description: String { "<redacted>" }
  var customMirror: Mirror { Mirror(self, children: []) }
}
