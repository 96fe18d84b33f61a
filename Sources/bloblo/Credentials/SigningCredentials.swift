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
    switch store.start() {
    case .found: return
    case .failed(let error):
      guard error.kind == .misconfigured else { return }
      throw SettingsError(problems: ["AWS credentials: \(error)"])
    case .absent(let reasons):
      throw SettingsError(
        problems: [
          "AWS credentials: none found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source:"
        ] + reasons.map { "  \($0)" })
    }
  }
}

/// Its parts hold the environment, and with it what must not be shown.
extension SigningCredentials: CustomStringConvertible, CustomReflectable {
  var description: String { "<redacted>" }
  var customMirror: Mirror { Mirror(self, children: []) }
}
