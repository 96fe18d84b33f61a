internal import Primitives
package import S3

/// Where the credentials come from. Nothing is fetched until `SigningCredentials` start.
package struct CredentialSettings: Sendable {
  package let chain: CredentialChain
  /// A credential from the settings, used instead of the chain.
  package let fixed: Credential?
  /// A second credential, which signs clients' URLs only.
  package let presign: Credential?
}

/// Its parts hold the environment, secrets included: it never describes itself.
extension CredentialSettings: CustomStringConvertible, CustomReflectable {
  package var description: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

extension SettingsReader {
  /// Reads where the credentials come from. `SigningCredentials.start` finds out whether there is one.
  package mutating func credentials() -> CredentialSettings {
    let isLocalStack = value(Declared.useLocalStack)
    // This needs no source, so it is reported with the other errors.
    if text(Declared.accessKeyID) != nil, text(Declared.secretAccessKey) == nil {
      refuse("AWS_SECRET_ACCESS_KEY: want the secret of AWS_ACCESS_KEY_ID, got nothing")
    }
    let fixed =
      isLocalStack && text(Declared.accessKeyID) == nil
      ? Credential(accessKeyID: "test", secretAccessKey: Secret("test")) : nil
    return CredentialSettings(
      chain: CredentialChain(environment: environment), fixed: fixed, presign: presignCredential())
  }

  /// A credential for URLs that must live long: the process's own may end within the hour.
  private mutating func presignCredential() -> Credential? {
    let (idName, secretName) = (
      Declared.presignAccessKeyID.name, Declared.presignSecretAccessKey.name
    )
    switch (text(Declared.presignAccessKeyID), text(Declared.presignSecretAccessKey)) {
    case (nil, nil): return nil
    case (let id?, let secret?):
      return Credential(
        accessKeyID: id, secretAccessKey: Secret(secret),
        sessionToken: text(Declared.presignSessionToken).map { Secret($0) })
    case (nil, _):
      refuse("\(idName): want the access key of \(secretName), got nothing")
    case (_, nil):
      refuse("\(secretName): want the secret of \(idName), got nothing")
    }
    return nil
  }
}

extension [String: String] {
  /// Adds the settings of the profile in AWS's shared config file, where the environment says nothing.
  ///
  /// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>
  package func withProfile() -> [String: String] {
    let files = ProfileFiles(self)
    guard let settings = files.read().settings(of: files.profile) else { return self }
    var all = self
    for (name, others, setting) in [
      ("AWS_REGION", ["AWS_DEFAULT_REGION"], "region"),
      ("AWS_ENDPOINT_URL", ["AWS_ENDPOINT_URL_S3"], "endpoint_url"),
      ("AWS_CA_BUNDLE", [], "ca_bundle"),
      ("AWS_USE_FIPS_ENDPOINT", [], "use_fips_endpoint"),
      ("AWS_USE_DUALSTACK_ENDPOINT", [], "use_dualstack_endpoint"),
    ] where ([name] + others).allSatisfy({ self[$0, default: ""].isEmpty }) {
      if let value = settings[setting], !value.isEmpty { all[name] = value }
    }
    return all
  }
}
