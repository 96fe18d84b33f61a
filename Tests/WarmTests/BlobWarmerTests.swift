import Foundation
import HTTPTransport
import Hashing
import Offload
import Primitives
import Registry
import S3
import Store
import Synchronization
import TestSupport
import Testing

@testable import Fill
@testable import Warm

struct BlobWarmerTests {
  private static let body = String(repeating: "0123456789abcdef", count: 1000)

  private static func sha256() -> [UInt8] {
    var hash = HashFunction(.sha256)
    hash.update(Array(body.utf8).span)
    return hash.finalize()
  }

  @Test func `a blob that waits for room is not asked for before it has it`() throws {
    let digest = "sha256:" + Hex.string(Self.sha256().span)
    let registry = ScriptedServer { request in
      let head = "HTTP/1.1 200 OK\r\nContent-Length: \(Self.body.utf8.count)\r\n\r\n"
      return Reply(request.lines[0].hasPrefix("HEAD") ? head : head + Self.body)
    }
    let s3 = ScriptedServer { request in
      Reply(
        "HTTP/1.1 \(request.lines[0].hasPrefix("PUT") ? 200 : 404) X\r\nContent-Length: 0\r\n\r\n")
    }
    let report = WarmReport(isTerminal: false)
    let filler = Filler(
      .init(spoolFolder: "/tmp", spoolBytes: 20_000), observer: WarmObserver(report))
    defer { filler.stop(within: .zero) }
    let store = S3BlobStore(
      bucket: BucketClient(
        try Bucket("bucket", region: "r", endpoint: Endpoint(s3.url)),
        credential: Credential(accessKeyID: "id", secretAccessKey: Secret("secret"))),
      template: .digest, presignLifetime: .seconds(60), cloudFront: nil, delivery: .redirect)
    let session = RegistrySession(
      try #require(ImageReference("a/b:1")), at: registry.url,
      docker: DockerConfiguration(environment: [:]), login: nil, limits: HTTPLimits(),
      following: .none)
    let document = """
      {"mediaType":"m","digest":"\(digest)","size":\(Self.body.utf8.count)}
      """
    let blob = try ImageBlob(
      JSONDecoder().decode(ImageDocument.Descriptor.self, from: Data(document.utf8)))

    let isDone = Mutex(false)
    if let other = filler.budget.reserve(10_000) {
      // Another blob has the room.
      Foundation.Thread.detachNewThread {
        BlobWarmer(store, by: filler, report).warm([blob], session, threads: 1)
        isDone.withLock { $0 = true }
      }
      #expect(eventually { !s3.requests.isEmpty })
      usleep(300_000)
      // A token that it gave now might have ended when there is room.
      #expect(registry.requests.isEmpty)
      extendLifetime(other)
    }
    #expect(eventually { isDone.withLock { $0 } })
    #expect(!report.hasFailures)
    #expect(registry.requests.map { $0.lines[0].prefix { $0 != " " } } == ["HEAD", "GET"])
  }
}
