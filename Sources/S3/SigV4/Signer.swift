package import Hashing
internal import Primitives
internal import Synchronization

/// Signs with one credential for one region and service, from any thread.
///
/// The signing key is kept for its day: deriving it costs four HMACs, signing one. A credential that
/// is refreshed gets a new signer.
package final class Signer: Sendable {
  private struct DayKey: ~Copyable {
    var day: Int64
    var key: SigningKey
  }

  package let credential: Credential
  package let region: String
  /// `s3`, or `sts`.
  package let service: String
  /// Of the query: the same in each URL, so encoded once.
  private let encodedAccessKeyID: [UInt8]
  private let encodedSessionToken: [UInt8]?
  private let dayKey = Mutex<DayKey?>(nil)

  package init(_ credential: Credential, region: String, service: String = "s3") {
    self.credential = credential
    self.region = region
    self.service = service
    encodedAccessKeyID = PercentEncoding.encode(credential.accessKeyID)
    encodedSessionToken = credential.sessionToken.map { PercentEncoding.encode($0.exposed) }
  }

  package func scope(on date: AmazonDate) -> CredentialScope {
    CredentialScope(date: date, region: region, service: service)
  }

  package func signature(of stringToSign: StringToSign, on date: AmazonDate) -> HMACSHA256.Code {
    dayKey.withLock { dayKey in
      if dayKey?.day != date.day {
        dayKey = DayKey(
          day: date.day,
          key: SigningKey(
            secretAccessKey: credential.secretAccessKey.exposed, scope: scope(on: date)))
      }
      return dayKey!.key.signature(of: stringToSign)
    }
  }

  var encodedSessionTokenCount: Int { encodedSessionToken?.count ?? 0 }

  /// The query of a presigned URL up to its signature. Its parameters are in SigV4's order.
  func appendQuery(
    date: AmazonDate, scope: CredentialScope, lifetimeSeconds: Int64, to url: inout [UInt8]
  ) {
    url.append(contentsOf: "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=".utf8)
    url.append(contentsOf: encodedAccessKeyID)
    url.append(contentsOf: "%2F".utf8)
    scope.append(slash: "%2F", to: &url)
    url.append(contentsOf: "&X-Amz-Date=".utf8)
    date.append(to: &url)
    url.append(contentsOf: "&X-Amz-Expires=".utf8)
    url.append(contentsOf: String(lifetimeSeconds).utf8)
    if let encodedSessionToken {
      url.append(contentsOf: "&X-Amz-Security-Token=".utf8)
      url.append(contentsOf: encodedSessionToken)
    }
    url.append(contentsOf: "&X-Amz-SignedHeaders=host".utf8)
  }
}
