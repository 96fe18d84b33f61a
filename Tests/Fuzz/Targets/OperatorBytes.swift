@testable import FastCGI
@testable import S3
@testable import Settings
@testable import Store

/// Settings, as `NAME=value` with a line for each.
func readSettings(_ bytes: [UInt8]) throws(BrokenPromise) {
  var environment: [String: String] = [:]
  for line in bytes.split(separator: 0x0A) {
    let pair = line.split(separator: UInt8(ascii: "="), maxSplits: 1)
    guard pair.count == 2 else { continue }
    environment[String(decoding: pair[0], as: UTF8.self)] = String(decoding: pair[1], as: UTF8.self)
  }
  let secret = "never-to-be-shown"
  environment["AWS_SECRET_ACCESS_KEY"] = secret
  environment["AWS_SESSION_TOKEN"] = secret
  let shown: String
  do {
    let settings = try ProcessSettings(environment: environment)
    try hold(settings.threads > 0 && settings.streamThreads > 0, "there are threads")
    shown = "\(settings)"
  } catch let error as SettingsError {
    try hold(!error.problems.isEmpty, "who refuses says why")
    shown = error.problems.joined()
  } catch let error as BrokenPromise {
    throw error
  } catch {
    return
  }
  try hold(!shown.contains(secret) || isAlsoElsewhere(secret, environment), "a secret is not shown")
}

private func isAlsoElsewhere(_ secret: String, _ environment: [String: String]) -> Bool {
  environment.contains { name, value in
    !name.hasPrefix("AWS_SE") && (value.contains(secret) || name.contains(secret))
  }
}

func readListenAddress(_ bytes: [UInt8]) throws(BrokenPromise) {
  let text = String(decoding: bytes, as: UTF8.self)
  guard let address = ListenAddress(text) else { return }
  // The loopback by its number, where the setting said nothing.
  var same = address
  if case .tcp("", let port) = address { same = .tcp(host: "127.0.0.1", port: port) }
  try hold(ListenAddress(address.description) == same, "an address is shown as it is written")
  if case .unix(let path) = address {
    try hold(path.utf8.count <= 95 && !path.utf8.contains(0), "a socket's path fits")
  }
}

func readEndpoint(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard let endpoint = try? Endpoint(String(decoding: bytes, as: UTF8.self)) else { return }
  try hold(
    (try? Endpoint(endpoint.description)) == endpoint, "an endpoint is shown as it is written")
  try hold(
    endpoint.description.utf8.allSatisfy { (0x21...0x7E).contains($0) }, "an endpoint is plain")
}

func readKeyTemplate(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard let template = try? ObjectKeyTemplate(String(decoding: bytes, as: UTF8.self)) else {
    return
  }
  // As like each other as digests can be: they differ in the last digit, or in the algorithm only.
  let digests = [("sha256", 64, "0"), ("sha256", 64, "f"), ("sha512", 128, "0")]
  var keys: Set<[UInt8]> = []
  for (algorithm, count, last) in digests {
    let encoded = String(repeating: "0", count: count - 1) + last
    guard let key = try? template.key(algorithm: algorithm, encoded: encoded) else {
      throw BrokenPromise(description: "a template that is accepted gives a key")
    }
    keys.insert(key.utf8)
    let segments = key.description.split(separator: "/", omittingEmptySubsequences: false)
    try hold(!segments.contains(".") && !segments.contains(".."), "a key is a plain path")
  }
  try hold(keys.count == digests.count, "no two digests share a key")
}

/// A field of ours with foreign bytes in it.
func writeResponseHead(_ bytes: [UInt8]) throws(BrokenPromise) {
  var head = ResponseHead(status: 307)
  head.add("Location", bytes)
  head.add("X-Text", String(decoding: bytes, as: UTF8.self))
  let lines = head.bytes().split(separator: 0x0A, omittingEmptySubsequences: false)
  try hold(lines.count <= 5 && lines.suffix(2).first == [0x0D], "a value stays on its line")
}
