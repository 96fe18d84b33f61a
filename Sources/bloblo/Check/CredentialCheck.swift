import Logging
import Primitives
import S3

/// Where the credential comes from, and how long it lives.
struct CredentialCheck {
  static let advice = "docs/s3.md lists the sources of credentials and the settings of each"

  private let settings: Settings

  init(_ settings: Settings) { self.settings = settings }

  /// - Returns: whether there is one to go on with.
  func run(_ report: inout CheckReport) -> Bool {
    let credentials = settings.credentials
    do {
      try credentials.start(Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
    } catch {
      report.fail(
        "credentials", error.problems.joined(separator: "; "), Self.advice)
      return false
    }
    guard let held = credentials.store.current(at: .now()) else {
      report.fail(
        "credentials", credentials.log.trouble ?? "the source gives none",
        "`serve` starts all the same, and passes until the source answers")
      return false
    }
    let lifetime = settings.location.presignLifetime
    let credential = held.credential
    guard let end = credential.expiration else {
      report.ok("credentials", "\(credential.accessKeyID) from \(held.source), without end")
      return true
    }
    let left = end - .now()
    let words = "\(credential.accessKeyID) from \(held.source), \(left) s left"
    if settings.credentials.presignStore == nil, .seconds(left) < lifetime {
      report.warn(
        "credentials", words,
        "URLs end with it, before BLOBLO_PRESIGN_EXPIRES (\(lifetime.short)): shorten that, or set "
          + "BLOBLO_PRESIGN_ACCESS_KEY_ID to a credential that lives longer")
    } else {
      report.ok("credentials", words)
    }
    return true
  }
}
