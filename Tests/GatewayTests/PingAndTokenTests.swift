import FastCGI
import Foundation
import TestSupport
import Testing
import Threading

@testable import Gateway
@testable import Settings
@testable import Store
@testable import Telemetry

/// Pings and tokens over a FastCGI connection, from a token server that behaves as Nexus or as the
/// distribution's specification says.
@Suite(.serialized) struct PingAndTokenTests {
  /// Each token is another one, and says for whom it is: what is shared shows.
  private let upstream = ScriptedServer { request in
    let target = request.lines[0].split(separator: " ")[1]
    func ok(_ body: String) -> Reply {
      Reply(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      )
    }
    let authorization = request.lines.first { $0.lowercased().hasPrefix("authorization:") }
    if target == "/v2/" {
      guard authorization != nil else {
        return Reply("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
      }
      return ok("{}")
    }
    if authorization?.contains("wrong") == true {
      return Reply("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    }
    if target.hasPrefix("/page/token") {
      return Reply(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
    }
    if target.hasPrefix("/error/token") { return ok(#"{"errors":["no"]}"#) }
    // Nexus gives no life.
    if target.hasPrefix("/v2/token") { return ok(#"{"token":"DockerToken.\#(UUID())"}"#) }
    return ok(#"{"token":"\#(UUID())","expires_in":300,"issued_at":"2100-01-01T00:00:00Z"}"#)
  }

  private func serve(_ more: [String: String] = [:], _ body: (FastCGIClient) throws -> Void) throws
  {
    let environment = [
      "BLOBLO_UPSTREAM_URL": upstream.url, "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:9",
      "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "BLOBLO_UPSTREAM_TIMEOUT": "60s",
    ].merging(more) { $1 }
    let settings = try ProcessSettings(environment: environment)
    let listener = try Listener(.tcp(host: "", port: 0))
    let port = listener.port ?? 0
    let loop = EventLoop()
    let responder = Responder(
      listener, on: loop,
      handler: BlobHandler(
        GatewayServices(
          settings, credentials: SigningCredentials(settings.credentials), environment: environment,
          log: Log(level: settings.logLevel, format: settings.logFormat), on: loop),
        routes: []))
    #expect(responder.start())
    defer { _ = responder.stop(within: patience) }
    try body(#require(FastCGIClient(port: port)))
  }

  private func ask(
    _ client: FastCGIClient, _ target: String, _ params: [(String, String)] = [],
    method: String = "GET"
  ) -> String {
    client.socket.send(
      FastCGIClient.request([("REQUEST_METHOD", method), ("REQUEST_URI", target)] + params))
    return client.answer().text
  }

  private let alice = ("HTTP_AUTHORIZATION", "Basic YWxpY2U6cHc=")
  private let bob = ("HTTP_AUTHORIZATION", "Basic Ym9iOnB3")

  private struct Token: Decodable, Hashable {
    let token: String
    let expiresIn: Int?
    let issuedAt: String?
  }

  private func token(
    _ client: FastCGIClient, _ target: String, _ params: [(String, String)] = []
  ) throws -> Token {
    let answer = ask(client, target, params)
    #expect(answer.contains("Status: 200"))
    let body = try #require(answer.range(of: "\r\n\r\n")).upperBound
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Token.self, from: Data(answer[body...].utf8))
  }

  @Test func `a token is remembered for the same question, with what is left of its life`() throws {
    try serve { client in
      let target = "/service/token?service=a&scope=repository:x:pull"
      let first = try token(client, target, [alice])
      #expect(first.expiresIn == 300)
      let again = try token(client, target, [alice])
      #expect(again.token == first.token)
      // Whoever counts from when the answer comes is right, and nobody counts from elsewhere.
      #expect(try #require(again.expiresIn) < 300 && again.issuedAt == nil)
      #expect(upstream.requests.count == 1, "upstream is asked once")
    }
  }

  @Test func `a token without a life, for which clients take a minute, is asked for each time`()
    throws
  {
    try serve { client in
      let tokens = try (0..<2).map { _ in try token(client, "/v2/token?service=a", [alice]).token }
      #expect(Set(tokens).count == 2)
    }
  }

  @Test func `another scope, credential, host or client address is another question`() throws {
    try serve { client in
      let target = "/service/token?scope=repository:x:pull"
      let others: [(String, [(String, String)])] = [
        (target, []), (target, [alice]), (target, [bob]),
        ("/service/token?scope=repository:y:pull", [alice]),
        (target, [alice, ("HTTP_HOST", "elsewhere")]),
        (target, [alice, ("HTTP_X_FORWARDED_FOR", "10.0.0.1")]),
      ]
      let tokens = try others.map { try token(client, $0.0, $0.1).token }
      #expect(Set(tokens).count == others.count)
      #expect(upstream.requests.count == others.count)
    }
  }

  @Test func `anonymous clients share a token only for the same query`() throws {
    try serve { client in
      let first = try token(client, "/service/token?scope=a").token
      #expect(try token(client, "/service/token?scope=a").token == first)
      #expect(try token(client, "/service/token?scope=b").token != first)
    }
  }

  @Test(arguments: [
    "HTTP_X_JFROG_ART_API", "HTTP_PRIVATE_TOKEN", "HTTP_PROXY_AUTHORIZATION", "HTTP_CONTENT_LENGTH",
    "CONTENT_LENGTH", "HTTP_X_FORWARDED_ACCESS_TOKEN", "HTTP_X_FORWARDED_CLIENT_CERT",
  ])
  func `what may be a credential that upstream is not asked with passes`(_ name: String) throws {
    try serve { client in
      for (target, params) in [("/service/token", []), ("/v2/", [alice])] {
        #expect(ask(client, target, params).contains("Status: 200"))
        #expect(ask(client, target, params + [(name, "7")]).contains("Status: 424"))
        #expect(ask(client, target, params + [(name, "")]).contains("Status: 200"))
      }
      #expect(upstream.requests.count == 2)
    }
  }

  @Test func `what clients and those before us send beside it makes no other question`() throws {
    try serve { client in
      let first = try token(client, "/service/token", [alice]).token
      let fields = [
        "ACCEPT_ENCODING", "CONNECTION", "DOCKER_DISTRIBUTION_API_VERSION", "X_REQUEST_ID",
        "TRACEPARENT", "FORWARDED",
      ].map { ("HTTP_\($0)", "x") }
      #expect(try token(client, "/service/token", [alice] + fields).token == first)
    }
  }

  @Test func `a cookie is asked with, and is another question`() throws {
    try serve { client in
      let tokens = try ["a", "b", "a"].map {
        try token(client, "/service/token", [("HTTP_COOKIE", $0)]).token
      }
      #expect(tokens[0] == tokens[2] && tokens[0] != tokens[1])
      #expect(upstream.requests.map { $0.lines.filter { $0 == "Cookie: a" }.count } == [1, 0])
    }
  }

  @Test(arguments: [
    ("nginx/1.22.1", nil, true), ("Apache", nil, true), ("lighttpd/1.4", nil, false),
    // As the web server says of its own way.
    ("nginx/1.22.1", "true", true), ("Apache", "false", false), ("lighttpd/1.4", "true", true),
  ])
  func `the registry is told the client's host where the straight way tells it`(
    _ software: String, _ said: String?, _ isTold: Bool
  ) throws {
    try serve { client in
      let params =
        [("HTTP_HOST", "registry.example.com:80"), ("SERVER_SOFTWARE", software)]
        + (said.map { [("BLOBLO_PRESERVE_HOST", $0)] } ?? [])
      for (target, more) in [("/service/token", []), ("/v2/", [alice])] {
        #expect(ask(client, target, params + more).contains("Status: 200"))
      }
      let hosts = upstream.requests.map { $0.lines.filter { $0.lowercased().hasPrefix("host:") } }
      let host = isTold ? "Host: registry.example.com:80" : "Host: \(upstream.url.dropFirst(7))"
      #expect(hosts == [[host], [host]])
    }
  }

  @Test func `what is no token passes, and is asked for again`() throws {
    try serve { client in
      let refused = ("HTTP_AUTHORIZATION", "Basic wrong")
      for (target, params) in [
        ("/page/token", []), ("/error/token", []), ("/service/token", [refused]),
      ] {
        for _ in 0..<2 { #expect(ask(client, target, params).contains("Status: 424"), "\(target)") }
      }
      #expect(upstream.requests.count == 6)
    }
  }

  @Test func `a POST, an odd target and a setting of zero pass unasked`() throws {
    try serve { client in
      #expect(ask(client, "/service/token", method: "POST").contains("Status: 424"))
      #expect(ask(client, "/service/token?a b").contains("Status: 424"))
      #expect(ask(client, "/service/token?a#b").contains("Status: 424"))
      #expect(ask(client, "/service/tokens").contains("Status: 424"))
    }
    try serve(["BLOBLO_CACHE_EXPIRATION_MINUTES": "0"]) { client in
      #expect(ask(client, "/service/token", [alice]).contains("Status: 424"))
    }
    #expect(upstream.requests.isEmpty)
  }

  @Test func `a ping is remembered for its credential, and passes without one`() throws {
    try serve { client in
      for _ in 0..<3 {
        #expect(ask(client, "/v2/", [alice]).contains("Status: 200"))
        #expect(ask(client, "/v2/").contains("Status: 424"))
      }
      #expect(ask(client, "/v2/", [bob]).contains("Status: 200"))
      #expect(upstream.requests.count == 2)
    }
  }

  @Test func `a token endpoint of another name is the web server's to name`() throws {
    try serve { client in
      #expect(ask(client, "/jwt/auth?scope=a").contains("Status: 424"))
      let params = [("BLOBLO_TOKEN_ENDPOINT", "true")]
      #expect(ask(client, "/jwt/auth?scope=a", params).contains("Status: 200"))
      // A client's header arrives under another name.
      #expect(
        ask(client, "/jwt/auth?scope=b", [("HTTP_BLOBLO_TOKEN_ENDPOINT", "true")])
          .contains("Status: 424"))
    }
  }
}
