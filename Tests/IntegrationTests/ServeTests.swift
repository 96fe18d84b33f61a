import Foundation
import TestSupport
import Testing

@Suite struct ServeTests {
  @Test func `SIGTERM lets a body in flight be finished, and ends with 0`() throws {
    let relay = FaultyRelay(to: try Ground.shared().registryPort)
    let site = try Site(
      ["BLOBLO_FILL_PART_SIZE": "5MiB", "BLOBLO_STOP_TIMEOUT": "10m"], upstream: relay.port,
      nginxTimeout: "10m")
    let blob = TestBlob(count: 12 << 20)
    try site.ground.push(blob, to: "serve/term")
    relay.fault = .stallAnswer(after: 6 << 20)
    let client = try Program([
      "curl", "--disable", "-sS", "--max-time", "1200", "-H", Site.credential[0],
      site.url + blob.path(in: "serve/term"),
    ])
    #expect(eventually { relay.requests.contains { $0.hasPrefix("GET") } })
    // The first part goes up: the body is under way.
    #expect(try eventually { try site.bucket.openUploads().contains(blob.key) })
    try site.stack.signal("bloblo", "SIGTERM")
    #expect(site.logSays("stopping"))
    #expect(eventually { !FileManager.default.fileExists(atPath: site.stack.facts.socket) })
    // Those who come now are the registry's at once: nobody waits in the backlog of a program that stops.
    let quick = try site.ask("GET", blob.path(in: "serve/term"))
    #expect(quick.body == blob.bytes)
    #expect(try site.stack.exitStatus(of: "bloblo", within: .milliseconds(100)) == nil)
    relay.fault = .none
    #expect(client.readAll() == blob.bytes)
    #expect(client.wait() == 0)
    #expect(try site.stack.exitStatus(of: "bloblo") == 0)
    #expect(try site.isFilled(blob))
    #expect(site.log.contains("\"in-flight\":\"finished\""))
    #expect(site.secretsInLog.isEmpty)
  }

  /// What it does at its start (a sweep, a probe, a credential) may be under way.
  @Test func `SIGTERM at any instant after the start ends with 0`() throws {
    for turn in 0..<20 {
      let path = Self.temporaryPath()
      let program = try Program(
        [Stack.blobloPath], environment: Self.environment(["BLOBLO_LISTEN_ADDR": "unix:\(path)"]))
      #expect(eventually { (try? WebServerConnection(unix: path)) != nil })
      usleep(UInt32(turn % 5) * 3000)
      program.signal(15)
      #expect(program.wait() == 0, "\(program.errorText)")
    }
  }

  private static func environment(_ settings: [String: String]) throws -> [String: String] {
    let ground = try Ground.shared()
    return [
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "",
      "BLOBLO_UPSTREAM_TIMEOUT": "60s", "BLOBLO_S3_TIMEOUT": "60s",
      "BLOBLO_S3_ENDPOINT_URL": ground.s3URL, "BLOBLO_S3_PUBLIC_ENDPOINT_URL": ground.publicS3URL,
      "BLOBLO_S3_BUCKET_NAME": Stack.bucket, "BLOBLO_UPSTREAM_URL": ground.registryURL,
      "AWS_ACCESS_KEY_ID": Stack.accessKey, "AWS_SECRET_ACCESS_KEY": Stack.secretKey,
      "AWS_REGION": "us-east-1", "BLOBLO_LOG_LEVEL": "trace",
      "BLOBLO_LOOK_AS_CLIENT": "off",
    ].merging(settings) { $1 }
  }

  private static func temporaryPath() -> String {
    "/tmp/bloblo-\(UUID().uuidString.prefix(8)).sock"
  }

  @Test func `a live socket is left alone, a stale one is replaced`() throws {
    let path = Self.temporaryPath()
    defer { try? FileManager.default.removeItem(atPath: path) }
    var live: LoopbackSocket? = try .listen(unix: path)
    let environment = try Self.environment(["BLOBLO_LISTEN_ADDR": "unix:\(path)"])
    let refused = try Program.run([Stack.blobloPath], environment: environment)
    #expect(refused.status == 69)
    #expect(refused.errors.contains("another process listens there"))
    // Also for a program of another test that is being started just now, with a copy still open.
    shutdown(try #require(live).descriptor, Int32(SHUT_RDWR))
    live = nil
    let program = try Program([Stack.blobloPath], environment: environment)
    #expect(eventually { (try? WebServerConnection(unix: path)) != nil })
    var facts = try FileManager.default.attributesOfItem(atPath: path)
    #expect(facts[.posixPermissions] as? Int == 0o660)
    program.signal(15)
    #expect(program.wait() == 0)
    #expect(!FileManager.default.fileExists(atPath: path))
    // What is no socket stays.
    try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
    #expect(try Program.run([Stack.blobloPath], environment: environment).status == 69)
    facts = try FileManager.default.attributesOfItem(atPath: path)
    #expect(facts[.size] as? Int == 4)
  }

  private func expectAnswers(_ connect: () throws -> WebServerConnection) throws {
    let blob = TestBlob(count: 3000)
    try Ground.shared().push(blob, to: "serve/doors")
    let params = ["HTTP_AUTHORIZATION": "Basic \(Site.basic)"]
    var client: WebServerConnection?
    #expect(
      eventually {
        client = try? connect()
        return client != nil
      })
    let head = client?.ask("HEAD", blob.path(in: "serve/doors"), params)
    #expect(head?.status == 200)
    #expect(head?["content-length"] == "3000")
    let body = client?.ask("GET", blob.path(in: "serve/doors"), params)
    #expect(body?.body == blob.bytes)
    #expect(client?.ask("GET", "/v2/", [:])?.status == 424)
    #expect(client?.ask("GET", blob.path(in: "serve/doors"), [:], isKept: false)?.status == 424)
  }

  @Test func `a Unix socket, TCP and an inherited descriptor all serve`() throws {
    let path = Self.temporaryPath()
    let unix = try Program(
      [Stack.blobloPath],
      environment: Self.environment([
        "BLOBLO_LISTEN_ADDR": "unix:\(path)", "BLOBLO_LISTEN_MODE": "0600",
      ]))
    try expectAnswers { try WebServerConnection(unix: path) }
    let facts = try FileManager.default.attributesOfItem(atPath: path)
    #expect(facts[.posixPermissions] as? Int == 0o600)

    let reserved = LoopbackSocket.reserve()
    let port = reserved.port
    let tcp = try Program(
      [Stack.blobloPath], environment: Self.environment(["BLOBLO_LISTEN_ADDR": "127.0.0.1:\(port)"])
    )
    try expectAnswers { WebServerConnection(try .connect(port: port)) }

    let inherited = LoopbackSocket.listen()
    let third = try Program(
      [Stack.blobloPath], environment: Self.environment([:]), input: inherited.descriptor)
    try expectAnswers { WebServerConnection(try .connect(port: inherited.port)) }

    extendLifetime(reserved)
    for program in [unix, tcp, third] {
      program.signal(15)
      #expect(program.wait() == 0, "\(program.errorText)")
      for secret in [Site.basic, Stack.secretKey, Stack.password, "X-Amz-Signature"] {
        #expect(!program.errorText.contains(secret))
      }
    }
  }

  @Test func `more kept connections than threads slow nobody`() throws {
    let path = Self.temporaryPath()
    let program = try Program(
      [Stack.blobloPath],
      environment: Self.environment(["BLOBLO_LISTEN_ADDR": "unix:\(path)", "BLOBLO_THREADS": "2"]))
    let blob = TestBlob(count: 3000)
    try Ground.shared().push(blob, to: "serve/kept")
    let params = ["HTTP_AUTHORIZATION": "Basic \(Site.basic)"]
    #expect(eventually { (try? WebServerConnection(unix: path)) != nil })
    let clients = try (0..<64).map { _ in try WebServerConnection(unix: path) }
    // A part of a request: it must not hold a thread that others need.
    let halves = try (0..<8).map { _ in try LoopbackSocket.connect(unix: path) }
    for half in halves { half.send([1, 1, 0, 1, 0, 8, 0, 0, 0]) }
    // Each is used, and then kept: a thread for each would leave all but two to wait for ever.
    for _ in 0..<3 {
      for client in clients {
        #expect(client.ask("HEAD", blob.path(in: "serve/kept"), params)?.status == 200)
      }
    }
    // All at once: those that find no thread are passed, and none waits or is lost.
    for client in clients { client.begin("HEAD", blob.path(in: "serve/kept"), params) }
    let statuses = clients.map { $0.finish()?.status }
    #expect(statuses.allSatisfy { $0 == 200 || $0 == 424 })
    program.signal(15)
    #expect(program.wait() == 0)
  }

  @Test func `a server that is missing is said in a sentence`() throws {
    let error = #expect(throws: Stack.Failure.self) {
      try Stack(["bloblo"], options: ["--bloblo", "/nonexistent", "--registry", "127.0.0.1:1"])
    }
    #expect(error?.description.contains("there is no program /nonexistent") == true)
  }
}
