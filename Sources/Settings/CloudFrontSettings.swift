internal import Hashing
internal import S3
internal import System

extension SettingsReader {
  /// - Returns: `nil` when it is not set, or something is wrong; the reader has the error.
  mutating func cloudFront() -> CloudFrontSigner? {
    let settings = [
      Declared.cloudFrontURL, Declared.cloudFrontKeyPairID, Declared.cloudFrontPrivateKey,
    ]
    let names = settings.map(\.name)
    let values = settings.map { text($0) }
    guard values.contains(where: { $0 != nil }) else { return nil }
    guard let url = values[0], let id = values[1], let file = values[2] else {
      for (name, value) in zip(names, values) where value == nil {
        refuse("\(name): want it set when another BLOBLO_CLOUDFRONT_ is, got nothing")
      }
      return nil
    }
    let endpoint: Endpoint
    do {
      endpoint = try Endpoint(url)
    } catch {
      refuse("\(names[0]): \(error)")
      return nil
    }
    guard let pem = SmallFile.bytes(file) else {
      refuse("\(names[2]): want a file that can be read, got \"\(file)\"")
      return nil
    }
    do {
      return try CloudFrontSigner(endpoint, keyPairID: id, key: PrivateKey(pem: pem))
    } catch {
      switch error {
      case .unreadable: refuse("\(names[2]): want a PEM file with an unencrypted private key")
      case .unsupported: refuse("\(names[2]): want an RSA key, or an ECDSA key on P-256")
      case .forbidden:
        refuse("\(names[2]): this system's OpenSSL refuses to sign SHA-1, which CloudFront wants")
      }
      return nil
    }
  }
}
