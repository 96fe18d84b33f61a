import FoundationEssentials
import HTTPTransport
import Primitives

@testable import Hashing
@testable import S3
@testable import Warm

/// AWS's shared files.
func readProfiles(_ bytes: [UInt8]) throws(BrokenPromise) {
  let text = String(decoding: bytes, as: UTF8.self)
  for kind in [ProfileFile.Kind.config, .credentials] {
    let file = ProfileFile(text, kind)
    for settings in file.profiles.values {
      for (name, value) in settings {
        try hold(name == name.lowercased(), "a setting has its name in lower case")
        try hold(value == value.trimmed, "no space around a value")
        try hold(!value.contains(where: \.isNewline), "a value stands on one line")
      }
    }
    let isConfig = kind == .config
    let both = Profiles(config: isConfig ? file : nil, credentials: isConfig ? nil : file)
    for profile in file.profiles.keys {
      try hold(
        both.settings(of: profile) == file.profiles[profile], "a profile is what its file says")
    }
  }
}

/// What `credential_process`, container and instance answer.
func readCredentialDocument(_ bytes: [UInt8]) throws(BrokenPromise) {
  let credential: Credential
  do {
    credential = try CredentialDocument(bytes, from: "somewhere").credential(from: "somewhere")
  } catch {
    // Why not is told to the log: the secret must not be in it.
    if let secret = secret(in: bytes) {
      try hold(!error.description.contains(secret), "an error does not show the secret")
    }
    return
  }
  try holdCredential(credential)
}

private func secret(in document: [UInt8]) -> String? {
  guard let object = try? JSONDecoder().decode(CredentialDocument.self, from: Data(document)),
    let secret = object.secretAccessKey, secret.utf8.count >= 8,
    // Not one of our own words.
    secret.utf8.contains(where: { (0x30...0x39).contains($0) }),
    // Its author has put it elsewhere too.
    ![object.code, object.message].contains(where: { $0?.contains(secret) == true })
  else { return nil }
  return secret
}

func readSTS(_ bytes: [UInt8]) throws(BrokenPromise) {
  for action in ["AssumeRole", "AssumeRoleWithWebIdentity"] {
    guard
      let credential = try? SecurityTokenService.credential(
        bytes, action: action, source: "somewhere")
    else { continue }
    try holdCredential(credential)
    try hold(credential.expiration != nil, "a role's credential ends")
  }
}

private func holdCredential(_ credential: Credential) throws(BrokenPromise) {
  try hold(
    [credential.accessKeyID, credential.sessionToken?.exposed ?? "a"].allSatisfy {
      !$0.isEmpty && HTTPField("a", $0).isSendable
    }, "a credential can stand in a request")
  try hold(!credential.secretAccessKey.exposed.isEmpty, "a credential has a secret")
  if let end = credential.expiration {
    try hold(abs(end.seconds) < .max / 2, "time can be added to a credential's end")
  }
}

/// `docker login`'s file. A helper that it names is not run: it answers with the same bytes.
func readDockerConfiguration(_ bytes: [UInt8]) throws(BrokenPromise) {
  nonisolated(unsafe) var asked: [String] = []
  let docker = DockerConfiguration(Data(bytes)) { name, server in
    unsafe asked += [name, server]
    return bytes
  }
  for host in ["docker.io", "registry.example.com:5000", "[::1]:5000"] {
    switch docker.credential(for: host) {
    case .identityToken(let token)?: try hold(!token.isEmpty, "a token is not empty")
    case .password?, nil: break
    }
  }
  for word in unsafe asked {
    // Both become words of a command line.
    try hold(
      word.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
          || "-_.:/[]".utf8.contains(byte)
      }, "a helper's words are plain")
  }
}

/// A PEM file for CloudFront.
func readPrivateKey(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard let key = try? PrivateKey(pem: bytes) else { return }
  if let signature = try? key.signSHA1([1, 2, 3].span) {
    try hold(!signature.isEmpty, "a signature has bytes")
  }
}
