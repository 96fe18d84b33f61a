import Primitives
import S3
import Synchronization
import TestSupport
import Testing

@testable import Store

struct LongSweepTests {
  @Test func `each page of a long sweep is signed with the time at which it is asked for`() throws {
    let now = Mutex(UploadSweepTests.now)
    let server = ScriptedServer { request in
      // S3 refuses what was signed more than 15 minutes ago.
      now.withLock { $0 = $0 + 1200 }
      let isFirst = !request.lines[0].contains("upload-id-marker=")
      let body =
        "<ListMultipartUploadsResult><IsTruncated>\(isFirst)</IsTruncated>"
        + "<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>"
        + "</ListMultipartUploadsResult>"
      return Reply("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
    let client = BucketClient(
      try Bucket("bucket", region: "r", endpoint: Endpoint(server.url)),
      credential: Credential(accessKeyID: "id", secretAccessKey: Secret("secret")))
    _ = try UploadSweep(client, ObjectKeyTemplate("{digest}"), olderThan: .seconds(86_400))
      .run(now: now.withLock { $0 })
    let dates = server.requests.map { request in
      request.lines.first { $0.lowercased().hasPrefix("x-amz-date: ") }?.suffix(16)
    }
    #expect(dates == ["20231114T221320Z", "20231114T223320Z"])
  }
}
