import HTTPTransport
import Primitives
import Registry
import S3
import TestSupport
import Testing
import Threading

@testable import Fill

@Suite struct MultipartFillTests {
  private static let digest = "sha256:" + String(repeating: "a", count: 64)

  /// An S3 that takes all, and whose object never stands there.
  private let server = ScriptedServer { request in
    let begun =
      "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    return switch request.lines[0].prefix(4) {
    case "HEAD": Reply("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")
    case "POST": Reply("HTTP/1.1 200 OK\r\nContent-Length: \(begun.utf8.count)\r\n\r\n\(begun)")
    default: Reply("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n")
    }
  }
  private let pool = ThreadPool<HTTPClient>(name: "upload", threadLimit: 4, queueLimit: .max) {
    HTTPClient()
  }

  private var parts: Int { server.requests.count { $0.lines[0].hasPrefix("PUT") } }

  private func upload(courtesy: Duration, _ clients: ReadersAlong?) throws -> MultipartFill {
    let bucket = BucketClient(
      try Bucket("bucket", region: "r", endpoint: Endpoint(server.url)),
      credential: Credential(accessKeyID: "id", secretAccessKey: Secret("secret")), limits: .patient
    )
    let digest = try #require(Digest(Self.digest))
    let target = FillTarget(
      digest: digest, size: 20, bucket: bucket, key: try ObjectKey("key"), isReplacement: false)
    let spool = try Spool(in: "/tmp", room(20, in: SpoolBudget(limit: 20)))
    try spool.write([UInt8](repeating: 0, count: 20).span, at: 0)
    let upload = MultipartFill(
      target, spool: spool, pool: pool, parallelParts: 4, maxReadAhead: nil,
      courtesy: Courtesy(to: clients, for: courtesy))
    for number in 1...2 {
      upload.add(
        BlobPart(
          number: number, offset: Int64(number - 1) * 10, count: 10,
          checksum: PartChecksum(.sha256, [UInt8](repeating: 0, count: 32))))
    }
    upload.endReading()
    return upload
  }

  /// Looks for parts some times, and gives up then.
  private func wait(for upload: MultipartFill, looks: Int = .max) throws -> Int? {
    var looks = looks
    let outcome = try? upload.waitForParts {
      looks -= 1
      return looks < 0
    }
    guard case .parts(_, let parts)? = outcome else { return nil }
    return parts.count
  }

  @Test func `parts wait while clients read along, and go up when the last has gone`() throws {
    let clients = ReadersAlong(places: 2, pause: .zero)
    clients.begin()
    clients.begin()
    let upload = try upload(courtesy: .seconds(3600), clients)
    #expect(try wait(for: upload, looks: 3) == nil)
    clients.end()
    #expect(try wait(for: upload, looks: 3) == nil)
    #expect(server.requests.isEmpty)
    clients.end()
    #expect(try wait(for: upload) == 2)
    #expect(parts == 2)
  }

  @Test func `parts wait for the next layer of who pulls an image`() throws {
    let clients = ReadersAlong(places: 2, pause: .seconds(3600))
    clients.begin()
    clients.end()
    let upload = try upload(courtesy: .seconds(3600), clients)
    #expect(try wait(for: upload, looks: 3) == nil)
    clients.stop()
    #expect(try wait(for: upload) == 2)
  }

  @Test func `a slow client does not keep a blob out of the bucket`() throws {
    let clients = ReadersAlong(places: 2, pause: .zero)
    clients.begin()
    #expect(try wait(for: upload(courtesy: .zero, clients)) == 2)
  }

  @Test func `an upload that waits keeps no other blob from being filled`() throws {
    let clients = ReadersAlong(places: 2, pause: .zero)
    clients.begin()
    clients.addFill(1)
    let upload = try upload(courtesy: .seconds(3600), clients)
    #expect(try wait(for: upload, looks: 3) == nil)
    clients.addFill(1)
    #expect(try wait(for: upload) == 2)
  }

  @Test func `a stop does not wait for clients`() throws {
    let clients = ReadersAlong(places: 2, pause: .zero)
    clients.begin()
    let upload = try upload(courtesy: .seconds(3600), clients)
    #expect(try wait(for: upload, looks: 3) == nil)
    clients.stop()
    #expect(try wait(for: upload) == 2)
  }

  @Test func `a fill that nobody waits for leaves nobody room`() throws {
    #expect(try wait(for: upload(courtesy: .seconds(3600), nil)) == 2)
  }
}
