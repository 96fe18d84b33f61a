import TestSupport
import Testing

/// The blob cases of the distribution-spec's conformance suite (push, mount, HEAD, GET, DELETE, push again) at
/// default settings: bloblo knows nothing better than the registry does now.
@Suite struct DeletionTests {
  /// test_distribution_spec.py has nginx and Apache, the real ones.
  private static let servers = ["lighttpd/1.4.69", "Caddy/2"]

  /// What a client gets: the web servers' own is the registry's answer where bloblo passes.
  private func status(_ answer: Answer?, _ direct: () throws -> Answer) rethrows -> Int? {
    answer?.status == 424 ? try direct().status : answer?.status
  }

  @Test(arguments: servers)
  func `push, mount, HEAD, GET, DELETE and push again are as without bloblo`(server: String) throws
  {
    let site = try Site()
    let connection = try WebServerConnection(unix: site.stack.facts.socket)
    let blob = TestBlob(count: 4000)
    try site.bucket.put(blob.key, blob.bytes)
    func ask(_ method: String, in repository: String, _ who: String? = Site.basic) throws -> Int? {
      let path = blob.path(in: repository)
      let params = [
        "SERVER_SOFTWARE": server, "HTTP_AUTHORIZATION": who.map { "Basic \($0)" } ?? "",
      ]
      return try status(connection.ask(method, path, params)) {
        #expect(method != "DELETE", "a DELETE is relayed")
        return try Curl.ask(method, site.ground.registryURL + path, Site.credential)
      }
    }
    for repository in ["delete/pushed", "delete/mounted"] {
      for _ in 0..<2 {
        if repository == "delete/pushed" {
          try site.ground.push(blob, to: repository)
        } else {
          try site.ground.push(blob, to: "delete/source")
          let mount = "blobs/uploads/?mount=\(blob.digest)&from=delete/source"
          let mounted = try Curl.ask(
            "POST", "\(site.ground.registryURL)/v2/\(repository)/\(mount)", Site.credential)
          #expect(mounted.status == 201)
        }
        #expect(try ask("HEAD", in: repository) == 200)
        #expect(try ask("GET", in: repository) == 307)
        #expect(try ask("DELETE", in: repository, nil) == 401)
        #expect(try ask("GET", in: repository) == 307)
        #expect(try ask("DELETE", in: repository) == 202)
        for method in ["HEAD", "GET", "DELETE", "HEAD"] {
          #expect(try ask(method, in: repository) == 404, "\(method)")
        }
      }
    }
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `a HEAD asks every time, and its proof serves the GET behind it`() throws {
    let site = try Site()
    let connection = try WebServerConnection(unix: site.stack.facts.socket)
    let blob = TestBlob(count: 4000)
    try site.bucket.put(blob.key, blob.bytes)
    try site.ground.push(blob, to: "delete/head")
    func ask(_ method: String) -> Int? {
      connection.ask(
        method, blob.path(in: "delete/head"),
        ["SERVER_SOFTWARE": "nginx", "HTTP_AUTHORIZATION": "Basic \(Site.basic)"])?.status
    }
    for _ in 0..<3 { #expect(ask("HEAD") == 200) }
    for _ in 0..<3 { #expect(ask("GET") == 307) }
    // It writes its log after the answer.
    let asked = ["HEAD 200", "HEAD 200", "HEAD 200"]
    #expect(try eventually { try site.ground.registryRequests(for: blob).suffix(3) == asked })
  }

  @Test func `a refused deletion changes nothing, one of whatever spelling forgets`() throws {
    let blob = TestBlob(count: 4000)
    let registry = FakeRegistry { question in
      guard question.method == "DELETE" else {
        return .init(
          200, ["Content-Length: \(blob.bytes.count)"], question.isHead ? [] : blob.bytes)
      }
      return .init(question["X-Status"].flatMap { Int($0) } ?? 500, ["X-Own: yes"])
    }
    let site = try Site(registry: registry.port)
    try site.bucket.put(blob.key, blob.bytes)
    let connection = try WebServerConnection(unix: site.stack.facts.socket)
    func ask(_ method: String, _ target: String, _ status: Int = 0, by: String = "carol") -> Answer?
    {
      connection.ask(
        method, target,
        [
          "SERVER_SOFTWARE": "nginx", "HTTP_AUTHORIZATION": "Bearer \(by)",
          "HTTP_X_STATUS": "\(status)",
        ])
    }
    func questions() -> Int {
      registry.questions.count { $0.isHead && $0.target.contains(blob.key) }
    }
    let path = blob.path(in: "delete/refused")
    for who in ["carol", "dave"] { #expect(ask("GET", path, by: who)?.status == 307) }
    for status in [401, 403, 404, 405, 500, 503] {
      let answer = ask("DELETE", path, status)
      #expect(answer?.status == status)
      #expect(answer?["x-own"] == "yes")
      #expect(ask("GET", path)?.status == 307)
    }
    #expect(questions() == 2)
    let encoded = path.replacing("sha256:", with: "sha256%3A")
    for spelling in [path, path + "?x=y", encoded, path.replacing("/refused", with: "/./refused")] {
      let asked = questions()
      #expect(ask("DELETE", spelling, 202)?.status == 202)
      for who in ["carol", "dave"] { #expect(ask("GET", path, by: who)?.status == 307) }
      #expect(questions() == asked + 2, "\(spelling)")
    }
    #expect(
      registry.questions.filter { $0.method == "DELETE" }.last?.target.contains("/./") == true)
  }
}
