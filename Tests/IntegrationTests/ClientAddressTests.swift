import TestSupport
import Testing

/// A registry that judges by the client's address hears the same one from bloblo as from the web server.
@Suite struct ClientAddressTests {
  private static let blob = TestBlob(count: 1000)

  @Test func `the check carries it as a proxy would, and a proof is for one address`() throws {
    let size = Self.blob.bytes.count
    let registry = FakeRegistry { _ in .init(200, ["Content-Length: \(size)"]) }
    let site = try Site(registry: registry.port)
    let connection = try WebServerConnection(unix: site.stack.facts.socket)
    func ask(_ params: [String: String]) {
      let answer = connection.ask("HEAD", Self.blob.path(in: "client/address"), params)
      #expect(answer?.status == 200)
    }
    // bloblo asks for itself too, whether the registry is well.
    func questions() -> [FakeRegistry.Question] {
      registry.questions.filter { $0.target.contains(Self.blob.key) }
    }
    func heard() -> [String?] {
      questions().last.map { [$0["X-Forwarded-For"], $0["X-Real-IP"]] } ?? []
    }
    let forged = ["HTTP_X_FORWARDED_FOR": "10.1.2.3", "HTTP_X_REAL_IP": "10.1.2.3"]
    ask(forged.merging(["REMOTE_ADDR": "192.0.2.1"]) { $1 })
    #expect(heard() == ["10.1.2.3, 192.0.2.1", "192.0.2.1"])
    ask(["REMOTE_ADDR": "192.0.2.2"])
    #expect(heard() == ["192.0.2.2", nil])
    // A web server has said it already.
    ask(["REMOTE_ADDR": "192.0.2.3", "HTTP_X_FORWARDED_FOR": "10.1.2.3,192.0.2.3"])
    #expect(heard() == ["10.1.2.3,192.0.2.3", nil])
    // No part of it is another's.
    ask(["REMOTE_ADDR": "192.0.2.4", "HTTP_X_FORWARDED_FOR": "192.0.2.44"])
    #expect(heard() == ["192.0.2.44, 192.0.2.4", nil])
    ask([:])
    #expect(heard() == [nil, nil])

    let asked = questions().count
    try site.bucket.put(Self.blob.key, Self.blob.bytes)
    for address in ["192.0.2.5", "192.0.2.5", "192.0.2.6"] {
      let params = ["REMOTE_ADDR": address]
      let answer = connection.ask("GET", Self.blob.path(in: "client/address"), params)
      #expect(answer?.status == 307)
    }
    #expect(questions().count == asked + 2)
  }

  /// HAProxy hands on each line as a param of its own, and a proxy before it adds a line.
  @Test(arguments: ["10.1.2.3", ""])
  func `a proof is for all lines of X-Forwarded-For`(claimed: String) throws {
    let registry = FakeRegistry { question in
      let isKnown = question["X-Forwarded-For"]?.hasSuffix("192.0.2.9, 192.0.2.1") == true
      return isKnown ? .init(200, ["Content-Length: \(Self.blob.bytes.count)"]) : .init(401)
    }
    let site = try Site(registry: registry.port)
    try site.bucket.put(Self.blob.key, Self.blob.bytes)
    let connection = try WebServerConnection(unix: site.stack.facts.socket)
    func status(_ lines: String...) -> Int? {
      connection.ask(
        "GET", Self.blob.path(in: "client/address"), ["REMOTE_ADDR": "192.0.2.1"],
        further: lines.map { ("HTTP_X_FORWARDED_FOR", $0) })?.status
    }
    #expect(status(claimed, "192.0.2.9") == 307)
    #expect(status(claimed, "192.0.2.8") == 424)
    #expect(status(claimed) == 424)
    #expect(status(claimed, "192.0.2.9", "192.0.2.1") == 307)
  }
}
