import Foundation
import TestSupport
import Testing

@Suite struct PullTests {
  @Test
  func `an image pushed by skopeo comes warm from S3, and the bucket holds exactly its blobs`()
    throws
  {
    let site = try Site(bucketName: "skopeo-only")
    let folder = "\(site.stack.facts.directory)/client"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    struct Image: Decodable {
      let config: String
      let layers: [String]
      let sizes: [String: Int]
    }
    let made = try Program.run([
      "python3", "\(Stack.root)/Tests/Stack/oci_image.py", "\(folder)/image", "1024", "300032",
      "12582912",
    ])
    let image = try JSONDecoder().decode(Image.self, from: Data(made.output))
    let host = site.url.replacingOccurrences(of: "http://", with: "")
    let remote = "docker://\(host)/skopeo/app:latest"
    let who = "\(Stack.user):\(Stack.password)"
    func skopeo(_ words: String...) throws {
      var environment = ProcessInfo.processInfo.environment
      for name in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"] {
        environment[name] = folder
      }
      environment["NO_PROXY"] = "*"
      let result = try Program.run(
        ["skopeo", "--insecure-policy", "copy", "--quiet"] + words, environment: environment)
      #expect(result.status == 0, "\(result.errors)")
    }
    func pulled(_ name: String) throws -> Set<String> {
      try skopeo(
        "--src-tls-verify=false", "--src-creds=\(who)", remote, "dir:\(folder)/\(name)")
      let files = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")
      return try Set(
        files.map {
          let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)/\($0)"))
          return "sha256:" + hexDigest(Array(data))
        })
    }
    try skopeo(
      "--preserve-digests", "--dest-tls-verify=false", "--dest-creds=\(who)",
      "oci:\(folder)/image:latest", remote)

    #expect(try pulled("cold").isSuperset(of: image.sizes.keys))
    let blobs = image.layers + [image.config]
    #expect(try eventually { try site.bucket.keys() == blobs.sorted() })
    for blob in blobs {
      #expect("sha256:" + hexDigest(try site.bucket.read(blob) ?? []) == blob)
    }
    func downloads() throws -> Int {
      let log = try String(
        contentsOfFile: site.ground.stack.facts.registryAccessLog ?? "", encoding: .utf8)
      return log.split(separator: "\n").count { line in
        line.contains("\"GET ") && image.layers.contains { line.contains("/blobs/\($0)") }
      }
    }
    #expect(try eventually { try downloads() == image.layers.count })
    #expect(try pulled("warm").isSuperset(of: image.sizes.keys))
    #expect(try downloads() == image.layers.count, "the registry gave layers to the warm pull")
    #expect(try site.bucket.openUploads() == [])
    #expect(site.secretsInLog.isEmpty)
  }

  @Test func `a right to one repository gives none to the same digest in another`() throws {
    let blob = TestBlob(count: 3000)
    let fake = FakeRegistry { question in
      guard question["authorization"] == "Bearer a-token-of-x" else {
        return .init(
          401, ["WWW-Authenticate: Bearer realm=\"http://t.example/\""], Array("no".utf8))
      }
      guard question.target.hasPrefix("/v2/team/a/blobs/\(blob.digest)") else {
        return .init(403, ["X-Own: yes"], Array("not yours".utf8))
      }
      return .init(
        200, ["Docker-Content-Digest: \(blob.digest)", "Content-Type: application/octet-stream"],
        blob.bytes)
    }
    let site = try Site(registry: fake.port)
    let bearer = ["Authorization: Bearer a-token-of-x"]
    #expect(try site.ask("GET", blob.path(in: "team/a"), bearer).body == blob.bytes)
    #expect(try site.isFilled(blob))
    #expect(try site.ask("GET", blob.path(in: "team/a"), bearer).status == 307)
    for method in ["GET", "HEAD"] {
      let answer = try site.ask(method, blob.path(in: "team/b"), bearer)
      #expect(answer.status == 403)
      #expect(answer["x-own"] == "yes")
      #expect(answer["location"] == nil)
      if method == "GET" { #expect(answer.text == "not yours") }
    }
    #expect(try site.ask("GET", blob.path(in: "team/a"), []).status == 401)
    #expect(site.secretsInLog.isEmpty)
  }
}
