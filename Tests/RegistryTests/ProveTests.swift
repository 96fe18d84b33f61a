import HTTPTransport
import Registry
import Synchronization
import TestSupport
import Testing

struct ProveTests {
  typealias Check = UpstreamRegistry.Check

  struct Case: Sendable, CustomTestStringConvertible {
    let check: Check
    let status: Int
    let credential: Bool
    let asks: [String]
    var testDescription: String { "\(check) \(status) credential: \(credential)" }
  }

  static let cases =
    Check.allCases.flatMap { check in
      [200, 307, 401, 403, 404, 405, 500].flatMap { status in
        [true, false].map { credential in
          let again =
            check != .head && (credential && [401, 403].contains(status) || status == 405)
            || check == .get && status == 404
          return Case(
            check: check, status: status, credential: credential,
            asks: again ? ["HEAD", "GET"] : ["HEAD"])
        }
      }
    }

  @Test(arguments: cases) func `a refused HEAD is tried as GET where that may help`(c: Case) {
    let server = ScriptedServer { request in
      request.lines[0].hasPrefix("HEAD")
        ? Reply("HTTP/1.1 \(c.status) x\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        : Reply("HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/77\r\nContent-Length: 1\r\n\r\nx")
    }
    var http = HTTPClient()
    let client = ClientFields(c.credential ? [HTTPField("Authorization", "Bearer t")] : [])
    let upstream = UpstreamRegistry(url: server.url, check: c.check, limits: .patient)
    let proof = try? upstream.prove(JudgeTests.path, for: client, by: &http)
    #expect(server.requests.map { String($0.lines[0].prefix { $0 != " " }) } == c.asks)
    #expect((proof != nil) == (c.status == 200 || c.asks.count == 2))
    if c.asks.count == 2 { #expect(proof?.size == 77) }
    for request in server.requests {
      #expect(request.lines[0].hasSuffix(" /v2/a/blobs/\(GrammarTests.digest) HTTP/1.1"))
      #expect(request.has("Range") == request.lines[0].hasPrefix("GET"))
      #expect(!request.has("Accept-Encoding"))
      #expect(request.has("Authorization") == c.credential)
    }
  }

  /// A registry that answers as its `status` says, and the methods it was asked by.
  private func methods(
    _ upstream: UpstreamRegistry, _ server: ScriptedServer, _ credential: String, name: String = "a"
  ) -> [String] {
    let asked = server.requests.count
    var http = HTTPClient()
    let path = BlobPath(name: RepositoryName(name)!, digest: JudgeTests.path.digest)
    let client = ClientFields([HTTPField("Authorization", credential)])
    _ = try? upstream.prove(path, for: client, by: &http)
    return server.requests.dropFirst(asked).map { String($0.lines[0].prefix { $0 != " " }) }
  }

  @Test func `a bad password is tried once where the registry answers HEADs`() {
    for status in [200, 307] {
      let server = ScriptedServer { request in
        let isGood = request.lines.contains { $0.hasSuffix(": Basic good") }
        return Reply(
          "HTTP/1.1 \(isGood ? status : 401) x\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
      }
      let upstream = UpstreamRegistry(url: server.url, limits: .patient)
      #expect(methods(upstream, server, "Basic good") == ["HEAD"])
      for _ in 0..<3 { #expect(methods(upstream, server, "Basic bad") == ["HEAD"]) }
    }
  }

  @Test func `until then it is tried by GET once a minute`() {
    let server = ScriptedServer { _ in Reply("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n") }
    let upstream = UpstreamRegistry(url: server.url, limits: .patient)
    #expect(methods(upstream, server, "Basic bad") == ["HEAD", "GET"])
    for name in ["a", "b"] {
      #expect(methods(upstream, server, "Basic bad", name: name) == ["HEAD"])
    }
    #expect(methods(upstream, server, "Basic other") == ["HEAD", "GET"])
  }

  @Test func `where only GETs are answered a good credential is tried by GET each time`() {
    let server = ScriptedServer { request in
      let isGood = request.lines.contains { $0.hasSuffix(": Basic good") }
      return request.lines[0].hasPrefix("GET") && isGood
        ? Reply("HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/7\r\nContent-Length: 1\r\n\r\nx")
        : Reply("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n")
    }
    let upstream = UpstreamRegistry(url: server.url, limits: .patient)
    for name in ["a", "b", "c"] {
      #expect(methods(upstream, server, "Basic good", name: name) == ["HEAD", "GET"])
    }
    #expect(methods(upstream, server, "Basic bad") == ["HEAD", "GET"])
    for _ in 0..<3 { #expect(methods(upstream, server, "Basic bad") == ["HEAD"]) }
    #expect(methods(upstream, server, "Basic good") == ["HEAD", "GET"])
  }

  struct Naming: Sendable, CustomTestStringConvertible {
    var challenge: String
    var host: String? = "registry.example"
    var sent: String?
    var credential: String? = "Bearer t"
    let isOtherName: Bool
    var testDescription: String { "\(challenge) \(host ?? "-") \(sent ?? "-")" }
  }

  @Test(arguments: [
    Naming(challenge: "Bearer realm=\"http://UP/token\",service=\"x\"", isOtherName: true),
    Naming(challenge: "Bearer realm=\"http://auth/token\",service=\"UP\"", isOtherName: true),
    Naming(challenge: "Basic realm=\"http://UP\"", isOtherName: true),
    Naming(
      challenge: "Bearer realm=\"http://auth/token\",service=\"registry\"", isOtherName: false),
    Naming(challenge: "Basic realm=\"registry\"", isOtherName: false),
    Naming(challenge: "Bearer realm=\"http://UP/token\"", host: "UP", isOtherName: false),
    Naming(challenge: "Bearer realm=\"http://UP/token\"", host: nil, isOtherName: false),
    Naming(
      challenge: "Bearer realm=\"http://UP/token\"", sent: "registry.example", isOtherName: false),
    Naming(challenge: "Bearer realm=\"http://UP/token\"", credential: nil, isOtherName: false),
  ])
  func `a challenge for the upstream's own name is told from other refusals`(c: Naming) {
    let authority = Mutex("")
    let server = ScriptedServer { _ in
      let challenge = c.challenge.replacing("UP", with: authority.withLock { $0 })
      return Reply("HTTP/1.1 401 x\r\nWWW-Authenticate: \(challenge)\r\nContent-Length: 0\r\n\r\n")
    }
    let name = String(server.url.dropFirst(7))
    authority.withLock { $0 = name }
    var fields = c.credential.map { [HTTPField("Authorization", $0)] } ?? []
    if let sent = c.sent { fields.append(HTTPField("Host", sent)) }
    let host = c.host.map { Array($0.replacing("UP", with: name).utf8) }
    var http = HTTPClient()
    let error = #expect(throws: Unproven.self) {
      try UpstreamRegistry(url: server.url, limits: .patient).prove(
        JudgeTests.path, for: ClientFields(fields, host: host), by: &http)
    }
    #expect(error == (c.isOtherName ? .otherName : .status(401)))
    #expect(error?.status == 401)
  }

  @Test func `a long body is not read to its end`() throws {
    let server = ScriptedServer { request in
      request.lines[0].hasPrefix("HEAD")
        ? Reply("HTTP/1.1 405 x\r\nContent-Length: 0\r\n\r\n")
        : Reply(
          "HTTP/1.1 200 x\r\nContent-Length: 1000000\r\n\r\n\(String(repeating: "x", count: 9000))",
          .stall)
    }
    var http = HTTPClient()
    let proof = try UpstreamRegistry(url: server.url, limits: .patient)
      .prove(JudgeTests.path, for: ClientFields([HTTPField("Cookie", "c")]), by: &http)
    #expect(proof.size == 1_000_000)
  }

  @Test func `a client's credential arrives byte for byte`() throws {
    let server = ScriptedServer { _ in Reply("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n") }
    let secret: [UInt8] =
      Array("Basic ".utf8) + [0xFF, 0xFE, 0x80, 0xE9, 0x09] + Array("; x=\"é\"".utf8)
    var http = HTTPClient()
    _ = try UpstreamRegistry(url: server.url, limits: .patient).prove(
      JudgeTests.path,
      for: ClientFields([HTTPField("Authorization", secret), HTTPField("Cookie", secret)]),
      by: &http)
    let head = try #require(server.requests.first).head
    for name in ["Authorization", "Cookie"] {
      #expect(head.contains(Array("\r\n\(name): ".utf8) + secret + [13, 10]))
    }
  }

  @Test func `an upstream that says nothing is unreachable, in time`() {
    let server = ScriptedServer { _ in Reply(pieces: [], .stall) }
    let limits = HTTPLimits(head: .seconds(2))
    func ask(_ url: String) -> Unproven? {
      var http = HTTPClient()
      return #expect(throws: Unproven.self) {
        try UpstreamRegistry(url: url, limits: limits)
          .prove(JudgeTests.path, for: ClientFields([]), by: &http)
      }
    }
    // On a busy machine the time may be over before there is a connection.
    let silent = (0..<20).lazy.map { _ in ask(server.url) }.first { _ in !server.requests.isEmpty }
    let away = ask("http://127.0.0.1:1")
    if case .unreachable = silent {} else { Issue.record("\(String(describing: silent))") }
    if case .unconnected = away {} else { Issue.record("\(String(describing: away))") }
  }

  @Test func `a client's fields are never shown`() {
    let fields = ClientFields([HTTPField("Authorization", "secret-word")])
    var dumped = ""
    dump(fields, to: &dumped)
    #expect(!"\(fields)\(String(reflecting: fields))\(dumped)".contains("secret-word"))
  }
}
