import HTTPTransport
import Primitives
import S3
import TestSupport
import Testing
import Threading

@testable import Fill
@testable import Store

@Suite struct UploadSweepTests {
  static let now = UnixTime(seconds: 1_700_000_000)  // 2023-11-14T22:13:20Z
  static let hex = String(repeating: "ab", count: 32)

  struct Upload: Sendable {
    var key: String
    var id: String
    /// By S3's clock; nil for none.
    var initiated: String? = "2023-11-13T22:13:20Z"
  }

  /// Lists uploads, one a page, and takes aborts.
  private final class Lister: Sendable {
    let aborts = Monitor<[String]>([])
    private let server: ScriptedServer
    let client: BucketClient

    init(_ uploads: [Upload], refusing refused: String = "-", date: String? = nil) throws {
      let aborts = aborts
      server = ScriptedServer { request in
        let target = String(request.lines[0].split(separator: " ")[1])
        let dateField = date.map { "Date: \($0)\r\n" } ?? ""
        if request.lines[0].hasPrefix("DELETE") {
          let id = String(target.split(separator: "=").last ?? "")
          aborts.withLock { $0.append(id) }
          return Reply(
            "HTTP/1.1 \(id == refused ? 403 : 204) X\r\n\(dateField)Content-Length: 0\r\n\r\n")
        }
        let last = target.split(separator: "&").first { $0.hasPrefix("upload-id-marker=") }
        let at = last.flatMap { last in uploads.firstIndex { last.hasSuffix("=\($0.id)") } }
        let body = page(uploads, at.map { $0 + 1 } ?? 0)
        return Reply(
          "HTTP/1.1 200 OK\r\n\(dateField)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
      client = BucketClient(
        try Bucket("bucket", region: "r", endpoint: Endpoint(server.url)),
        credential: Credential(accessKeyID: "id", secretAccessKey: Secret("secret")),
        limits: .patient)
    }

    func sweep(_ template: String = "{digest}", age: Duration = .seconds(86_400)) throws
      -> UploadSweep.Report
    {
      try UploadSweep(client, ObjectKeyTemplate(template), olderThan: age).run(now: now)
    }

    var aborted: [String] { aborts.withLock { $0 } }
  }

  @Test func `only keys that the template can make are touched`() throws {
    let lister = try Lister([
      Upload(key: "sha256:\(Self.hex)", id: "ours"), Upload(key: "backup.tar", id: "theirs"),
      Upload(key: "sha256:\(Self.hex)0", id: "longer"),
      Upload(key: "other/sha256:\(Self.hex)", id: "elsewhere"),
      Upload(key: "sha512:\(Self.hex)\(Self.hex)", id: "also-ours"),
    ])
    #expect(try lister.sweep() == .init(aborted: 2, failed: 0, young: 0, foreign: 3))
    #expect(lister.aborted == ["ours", "also-ours"])
  }

  @Test func `another template, another bucket's worth of keys`() throws {
    let lister = try Lister([
      Upload(key: "sha256:\(Self.hex)", id: "bare"),
      Upload(key: "blobs/ab/\(Self.hex)", id: "ours"),
      Upload(key: "blobs/cd/\(Self.hex)", id: "wrong-folder"),
    ])
    #expect(
      try lister.sweep("blobs/{encoded:0:2}/{encoded}")
        == .init(aborted: 1, failed: 0, young: 0, foreign: 2))
    #expect(lister.aborted == ["ours"])
  }

  @Test func `only what is old enough is aborted, and what has no age is not`() throws {
    let lister = try Lister([
      Upload(key: "sha256:\(Self.hex)", id: "a-day", initiated: "2023-11-13T22:13:20Z"),
      Upload(key: "sha256:\(Self.hex)", id: "almost", initiated: "2023-11-13T22:13:21Z"),
      Upload(key: "sha256:\(Self.hex)", id: "to-come", initiated: "2023-11-15T00:00:00Z"),
      Upload(key: "sha256:\(Self.hex)", id: "no-age", initiated: nil),
      Upload(key: "sha256:\(Self.hex)", id: "no-date", initiated: "yesterday"),
    ])
    #expect(try lister.sweep() == .init(aborted: 1, failed: 0, young: 4, foreign: 0))
    #expect(lister.aborted == ["a-day"])
  }

  @Test func `age is counted by S3's clock`() throws {
    // Ours is two days ahead.
    let lister = try Lister(
      [
        Upload(key: "sha256:\(Self.hex)", id: "young", initiated: "2023-11-12T20:00:00Z"),
        Upload(key: "sha256:\(Self.hex)", id: "old", initiated: "2023-11-10T20:00:00Z"),
      ], date: "Sun, 12 Nov 2023 22:13:20 GMT")
    #expect(try lister.sweep() == .init(aborted: 1, failed: 0, young: 1, foreign: 0))
    #expect(lister.aborted == ["old"])
  }

  @Test func `an abort that is refused does not stop the others`() throws {
    let lister = try Lister(
      [
        Upload(key: "sha256:\(Self.hex)", id: "refused"),
        Upload(key: "sha256:\(Self.hex)", id: "next"),
      ], refusing: "refused")
    #expect(try lister.sweep() == .init(aborted: 1, failed: 1, young: 0, foreign: 0))
    #expect(lister.aborted == ["refused", "next"])
  }

  @Test func `nothing to do is nothing done`() throws {
    #expect(try Lister([]).sweep() == .init(aborted: 0, failed: 0, young: 0, foreign: 0))
  }
}

private func page(_ uploads: [UploadSweepTests.Upload], _ index: Int) -> String {
  guard index < uploads.count else {
    return
      "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
  }
  let upload = uploads[index]
  return """
    <ListMultipartUploadsResult><IsTruncated>\(index < uploads.count - 1)</IsTruncated>\
    <NextKeyMarker>\(upload.key)</NextKeyMarker><NextUploadIdMarker>\(upload.id)</NextUploadIdMarker>\
    <Upload><Key>\(upload.key)</Key><UploadId>\(upload.id)</UploadId>\
    \(upload.initiated.map { "<Initiated>\($0)</Initiated>" } ?? "")</Upload>\
    </ListMultipartUploadsResult>
    """
}
