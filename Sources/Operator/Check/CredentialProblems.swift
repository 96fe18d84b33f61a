internal import HTTPTransport
internal import Primitives
internal import S3
package import Settings
internal import Store

/// What is wrong with the credential where other settings are wrong: who corrects those corrects it in the same
/// round. The sources are asked for it, as at a start.
package func credentialProblems(
  _ environment: [String: String], beside error: SettingsError
) -> [String] {
  var reader = SettingsReader(environment)
  // Settings of the credential are among the mistakes already.
  guard !reader.value(Declared.useLocalStack),
    !error.problems.contains(where: { $0.hasPrefix("AWS_SECRET_ACCESS_KEY:") })
  else { return [] }
  var http = HTTPClient()
  return CredentialChain(environment: environment).load(over: &http, now: .now()).problems
}

extension SettingsError {
  /// All that is wrong with the settings, and with the credential too; for people.
  package func lines(_ environment: [String: String]) -> [String] {
    let all = problems + credentialProblems(environment, beside: self)
    return ["bloblo: these settings are wrong:"] + all.map { "  " + $0 }
  }
}
