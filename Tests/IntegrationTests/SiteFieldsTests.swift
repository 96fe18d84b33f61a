import HTTPTransport
import TestSupport
import Testing

/// What the web server says of a client (`BLOBLO_FIELD_…`, its address) reaches the registry on every road, and
/// nothing that the client sends takes its place.
@Suite struct SiteFieldsTests {
  private let blob = TestBlob(count: 3000)

  /// A registry that knows its users by a field; and bloblo.
  private func site(bucket: String? = nil) throws -> (Site, FakeRegistry, WebServerConnection) {
    let blob = blob
    let registry = FakeRegistry { question in
      guard let user = question["X-SSO-User"], user == "alice" || user == "bob" else {
        return .init(401, ["WWW-Authenticate: SSO"], Array("who?".utf8))
      }
      if question.target.hasPrefix("/v2/token") {
        let body = #"{"token":"of-\#(user)","expires_in":600}"#
        return .init(200, ["Content-Type: application/json"], Array(body.utf8))
      }
      if question.target.contains("/blobs/") {
        guard question.target.contains("/\(user)/") else { return .init(403) }
        return .init(
          200, ["Content-Length: \(blob.bytes.count)"], question.isHead ? [] : blob.bytes)
      }
      return .init(200, ["Content-Type: application/json"], Array("{}".utf8))
    }
    let site = try Site(registry: registry.port, bucketName: bucket)
    return (site, registry, try WebServerConnection(unix: site.stack.facts.socket))
  }

  private func params(_ user: String, _ more: [String: String] = [:]) -> [String: String] {
    ["SERVER_SOFTWARE": "nginx", "BLOBLO_FIELD_X_SSO_USER": user].merging(more) { $1 }
  }

  @Test func `a field of the web server's is asked with, and part of who asks`() throws {
    let (site, registry, connection) = try site(bucket: "site-fields")
    try site.bucket.put(blob.key, blob.bytes)
    let path = blob.path(in: "alice/app")
    for _ in 0..<3 { #expect(connection.ask("GET", path, params("alice"))?.status == 307) }
    // A second user of the same client, and a client that says it is the first one.
    #expect(connection.ask("GET", path, params("bob"))?.status == 424)
    let claim = ["HTTP_X_SSO_USER": "alice", "HTTP_AUTHORIZATION": "Basic YTpi"]
    for user in ["", "mallory"] {
      #expect(connection.ask("GET", path, params(user, claim))?.status == 424)
    }
    #expect(connection.ask("GET", path, params("alice"))?.status == 307)
    let asked = registry.questions.filter { $0.target == path }
    #expect(asked.first?.fields.filter { $0.name.lowercased() == "x-sso-user" }.count == 1)
    #expect(asked.allSatisfy { ["alice", "bob", "mallory", nil].contains($0["X-SSO-User"]) })
    #expect(asked.count { $0["X-SSO-User"] == "alice" } == 1)
  }

  @Test func `it is part of pings and tokens, and of the reading`() throws {
    let (site, registry, connection) = try site(bucket: "site-fields-cold")
    for user in ["alice", "bob"] {
      let answer = connection.ask("GET", "/v2/token?scope=x", params(user))
      #expect(answer?.text.contains("of-\(user)") == true)
      let cold = connection.ask("GET", blob.path(in: "\(user)/app"), params(user))
      #expect(cold?.status == 200 || cold?.status == 307)
    }
    let readings = registry.questions.filter { !$0.isHead && $0.target.contains(blob.key) }
    #expect(readings.first?["X-SSO-User"] == "alice")
    #expect(site.secretsInLog.isEmpty)
  }

  @Test
  func `an empty one takes the client's away, and some names are not the web server's to set`()
    throws
  {
    let (site, registry, connection) = try site()
    let sent = [
      "BLOBLO_FIELD_AUTHORIZATION": "", "HTTP_AUTHORIZATION": "Basic YTpi",
      "BLOBLO_FIELD_USER_AGENT": "of-the-site", "HTTP_USER_AGENT": "of-the-client",
      "BLOBLO_FIELD_RANGE": "bytes=0-0", "BLOBLO_FIELD_CONTENT_LENGTH": "7",
      "BLOBLO_FIELD_VIA": "none", "BLOBLO_FIELD_": "x", "BLOBLO_FIELD_IF_NONE_MATCH": "*",
      "BLOBLO_FIELD_TRANSFER_ENCODING": "chunked", "BLOBLO_FIELD_HOST": "registry.example",
      "BLOBLO_FIELD_X_FORWARDED_FOR": "192.0.2.7", "REMOTE_ADDR": "192.0.2.8",
      "HTTP_X_FORWARDED_FOR": "10.0.0.1",
    ]
    for software in ["nginx", "lighttpd"] {
      let path = blob.path(in: "nobody/app")
      let params = sent.merging(["SERVER_SOFTWARE": software]) { $1 }
      #expect(connection.ask("GET", path, params)?.status == (software == "nginx" ? 424 : 401))
    }
    let asked = registry.questions.filter { $0.target == blob.path(in: "nobody/app") }
    #expect(asked.count == 3, "a HEAD each, and the relay's GET")
    for question in asked {
      for name in ["Authorization", "Range", "If-None-Match", "Transfer-Encoding", ""] {
        #expect(question[name] == nil, "\(name)")
      }
      #expect(question["Content-Length"] != "7")
      #expect(question["User-Agent"] == "of-the-site")
      #expect(question["Via"] == "1.1 bloblo")
      #expect(question["Host"] == "registry.example")
      #expect(question["X-Forwarded-For"] == "192.0.2.7")
    }
    #expect(site.secretsInLog.isEmpty)
  }

  @Test
  func `the relay says the client's address as a proxy does, and Connection takes nothing away`()
    throws
  {
    let (site, registry, connection) = try site()
    let claims =
      "X-Forwarded-For, x-real-ip, X-Forwarded-Proto, X-SSO-User, Via, Host, Authorization,"
    let params = params(
      "bob",
      [
        "SERVER_SOFTWARE": "lighttpd/1.4", "REMOTE_ADDR": "192.0.2.9",
        "HTTP_X_FORWARDED_FOR": "10.0.0.5", "HTTP_X_REAL_IP": "10.0.0.5",
        "HTTP_X_FORWARDED_PROTO": "https", "HTTP_AUTHORIZATION": "Basic YTpi",
        "HTTP_VIA": "1.1 proxy", "HTTP_CONNECTION": claims + " Cookie, X-Hop",
        "HTTP_COOKIE": "c=d", "HTTP_X_HOP": "gone", "HTTP_X_SSO_USER": "alice",
      ])
    #expect(connection.ask("GET", "/v2/bob/app/tags/list", params)?.status == 200)
    let heard = registry.questions.first { $0.target == "/v2/bob/app/tags/list" }
    #expect(heard?["X-Forwarded-For"] == "10.0.0.5, 192.0.2.9")
    #expect(heard?["X-Real-IP"] == "192.0.2.9")
    #expect(heard?["X-Forwarded-Proto"] == "https")
    #expect(heard?["X-SSO-User"] == "bob")
    #expect(heard?["Authorization"] == "Basic YTpi")
    #expect(heard?["Cookie"] == "c=d")
    #expect(heard?["Via"] == "1.1 proxy, 1.1 bloblo")
    #expect(heard?["X-Hop"] == nil)
    #expect(heard?["Connection"] == nil)
    // Without a word of the client's or the web server's the address is still said.
    let plain = ["SERVER_SOFTWARE": "lighttpd/1.4", "REMOTE_ADDR": "192.0.2.9"]
    #expect(connection.ask("GET", "/v2/plain", plain)?.status == 401)
    #expect(registry.questions.last { $0.target == "/v2/plain" }?["X-Forwarded-For"] == "192.0.2.9")
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `a request has one identifier, in the log, with the check and with the relay`() throws
  {
    let (site, registry, connection) = try site()
    for (name, sent) in [("none", ""), ("own", "client-17"), ("insane", "two words")] {
      let path = blob.path(in: "\(name)/app")
      let params = params("alice", ["SERVER_SOFTWARE": "lighttpd", "HTTP_X_REQUEST_ID": sent])
      _ = connection.ask("GET", path, params)
      let heard = registry.questions.filter { $0.target == path }.map { $0["X-Request-Id"] ?? "-" }
      #expect(heard.count == 2)
      #expect(Set(heard).count == 1, "\(heard)")
      if name == "own" { #expect(heard.first == "client-17") }
      #expect(site.logSays("\"request.id\":\"\(heard.first ?? "-")\"", "\(name)/app", "passed"))
    }
    #expect(site.secretsInLog.isEmpty)
  }
}
