internal import System
internal import Threading

/// A program that prints a credential: `credential_process`.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
struct ProcessSource {
  let command: String
  let name: String

  /// What it printed on its error stream is not repeated: it may hold a secret.
  func run() throws(CredentialError) -> Credential {
    let output: ShellCommand.Outcome
    do {
      output = try ShellCommand(command).run(within: .seconds(60))
    } catch {
      throw CredentialError(.unavailable, source: name, reason: error.description)
    }
    guard output.status == 0 else {
      throw CredentialError(
        .unavailable, source: name, reason: "it ended with status \(output.status)")
    }
    let document = try CredentialDocument(output.bytes, from: name)
    guard document.version == 1 else {
      throw CredentialError(
        .misconfigured, source: name,
        reason: "want Version 1, got \(document.version.map { String($0) } ?? "none")")
    }
    return try document.credential(from: name)
  }
}
