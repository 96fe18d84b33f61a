/// One way by which foreign bytes come in, and what must hold whatever they are.
///
/// `make fuzz` makes bytes up; `make test` replays those of `Tests/Fuzz/Corpus/<name>`. A reader of
/// foreign bytes that is new gets a target here and a folder there.
struct FuzzTarget: Sendable {
  let name: String
  private let body: @Sendable ([UInt8]) throws(BrokenPromise) -> Void

  init(_ name: String, _ body: @escaping @Sendable ([UInt8]) throws(BrokenPromise) -> Void) {
    self.name = name
    self.body = body
  }

  /// - Throws: what did not hold. A crash says it by itself.
  func run(_ bytes: [UInt8]) throws(BrokenPromise) { try body(bytes) }

  static let all: [FuzzTarget] = [
    // from clients, through the web server
    FuzzTarget("blob-path", readBlobPath),
    FuzzTarget("range", readRange),
    FuzzTarget("bearer", readBearer),
    FuzzTarget("records", readRecords),
    FuzzTarget("request-id", takeRequestID),
    // from the registry and from S3
    FuzzTarget("http-head", readHead),
    FuzzTarget("location", judgeLocation),
    FuzzTarget("token-response", readTokenResponse),
    FuzzTarget("xml", readXML),
    FuzzTarget("dates", readDates),
    FuzzTarget("image-document", readImageDocument),
    FuzzTarget("challenge", readChallenge),
    // from where credentials come from
    FuzzTarget("profiles", readProfiles),
    FuzzTarget("credential-document", readCredentialDocument),
    FuzzTarget("sts", readSTS),
    FuzzTarget("docker-configuration", readDockerConfiguration),
    FuzzTarget("private-key", readPrivateKey),
    // from the operator
    FuzzTarget("settings", readSettings),
    FuzzTarget("listen-address", readListenAddress),
    FuzzTarget("endpoint", readEndpoint),
    FuzzTarget("key-template", readKeyTemplate),
    FuzzTarget("image-reference", readImageReference),
    // to the web server, the log and the browser
    FuzzTarget("response-head", writeResponseHead),
    FuzzTarget("log-line", writeLogLine),
    FuzzTarget("page", writePage),
    FuzzTarget("plain-text", writePlainText),
  ]
}

/// A promise that some bytes broke.
struct BrokenPromise: Error, CustomStringConvertible {
  let description: String
}

func hold(_ isKept: Bool, _ promise: String) throws(BrokenPromise) {
  guard isKept else { throw BrokenPromise(description: promise) }
}
