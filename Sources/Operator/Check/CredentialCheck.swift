internal import Primitives
internal import S3
internal import Settings
package import Store

/// Reports where the credential comes from, and how long it lives.
package struct CredentialCheck {
  package static let advice = "docs/s3.md lists the sources of credentials and the settings of each"

  private let credentials: SigningCredentials
  /// `BLOBLO_PRESIGN_EXPIRES`.
  private let lifetime: Duration

  package init(_ credentials: SigningCredentials, presignLifetime: Duration) {
    self.credentials = credentials
    lifetime = presignLifetime
  }

  /// - Returns: whether there is a credential for the other checks.
  package func run(_ report: inout CheckReport) -> Bool {
    do {
      try credentials.start()
    } catch {
      report.fail(
        "credentials", error.problems.joined(separator: "; "), advice: Self.advice)
      return false
    }
    guard let held = credentials.store.current(at: .now()) else {
      report.fail(
        "credentials", credentials.record.trouble ?? "the source gives none",
        advice: "`serve` starts anyway, and blobs pass until the source answers")
      return false
    }
    let credential = held.credential
    guard let end = credential.expiration else {
      report.ok("credentials", "\(credential.accessKeyID) from \(held.source), without end")
      return true
    }
    let left = end - .now()
    let words = "\(credential.accessKeyID) from \(held.source), \(left) s left"
    if credentials.presignStore == nil, .seconds(left) < lifetime {
      report.warn(
        "credentials", words,
        advice:
          "URLs end with it, before BLOBLO_PRESIGN_EXPIRES (\(lifetime.short)): shorten that, or set "
          + "BLOBLO_PRESIGN_ACCESS_KEY_ID to a credential that lives longer")
    } else {
      report.ok("credentials", words)
    }
    return true
  }
}
