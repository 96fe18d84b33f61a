internal import Glibc
internal import HTTPTransport
package import S3

/// Tries a request to S3 again that may succeed the next time.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
package enum Retry {
  static let attempts = 5

  package static func run<Result>(
    _ shouldContinue: () -> Bool = { true }, _ attempt: () throws(S3Error) -> Result
  ) throws(S3Error) -> Result {
    var failures = 0
    while true {
      do {
        return try attempt()
      } catch {
        failures += 1
        guard error.isWorthAnotherTry, failures < attempts, shouldContinue() else { throw error }
        pause(after: failures)
      }
    }
  }

  /// 0 to 0.2, 0.4, 0.8, 1.6 s: the whole range is random, so that many who failed together do not come
  /// back together.
  private static func pause(after failures: Int) {
    let longest = 200_000 << (failures - 1)
    usleep(UInt32.random(in: 0...UInt32(longest)))
  }
}

extension S3Error {
  /// Whether the same request may succeed a moment later.
  var isWorthAnotherTry: Bool {
    switch self {
    case .transport(_, let failure): failure.kind != .invalid && failure.kind != .stopped
    case .refused(_, let refusal):
      refusal.status >= 500 && refusal.status != 501 || refusal.status == 429
        || refusal.status == 408 || refusal.code.map(passingCodes.contains) ?? false
        // Another one is being fetched by then.
        || refusal.isCredentialError
    default: false
    }
  }

  /// Whether S3 may have done what it was asked for, though its answer did not come.
  var mayHaveWorked: Bool {
    switch self {
    case .transport(_, let failure): failure.kind == .broken || failure.kind == .timeout
    case .unexpectedAnswer: true
    default: false
    }
  }
}

/// Codes that say "not now", whatever status they come with: a completion fails with a 200, a write that
/// meets another with a 409.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
private let passingCodes: Set<String> = [
  "RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "OperationAborted",
  "ConditionalRequestConflict",
]
