internal import HTTPTransport
internal import Primitives
internal import S3
package import Settings
internal import Store

/// Errors of the credential, reported together with errors of other settings, so that the operator corrects all in
/// one round. Asks the sources, as a start does.
package func credentialProblems(
  _ environment: [String: String], beside error: SettingsError
) -> [String] {
  var reader = SettingsReader(environment)
  // These errors are in the list already.
  guard !reader.value(Declared.useLocalStack),
    !error.problems.contains(where: { $0.hasPrefix("AWS_SECRET_ACCESS_KEY:") })
  else { return [] }
  var http = HTTPClient()
  return CredentialChain(environment: environment).load(over: &http, now: .now()).problems
}

extension SettingsError {
  /// All errors of the settings and of the credential, in lines for people.
  package func lines(_ environment: [String: String]) -> [String] {
    let all = problems + credentialProblems(environment, beside: self)
    return ["bloblo: these settings are wrong:"] + all.map { "  " + $0 }
  }
}
