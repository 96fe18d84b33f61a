import Foundation
import HTTPTransport
import Primitives
import S3
import Synchronization
import TestSupport
import Testing

/// Uploads that find out at the same time what a server lacks.
struct ConcurrentTrialTests {
  private let client: BucketClient

  init() throws {
    let bucket = try Bucket("bucket", region: "r", endpoint: Endpoint("https://s3.example.com"))
    client = BucketClient(bucket, credential: SigV4Tests.credential)
  }

  /// Sends an upload over a client of its own.
  private func put(
    _ reply: @escaping (HTTPRequest) -> (Int, [HTTPField], String)
  ) throws(S3Error) -> UploadOutcome {
    var http = ScriptedClient(reply)
    return try client.put(
      try ObjectKey("k"), .none, sha256: HashFunctionOf.sha256("blob"), over: &http,
      now: SigV4Tests.now)
  }

  private static func reply(_ request: HTTPRequest) -> (Int, [HTTPField], String) {
    hasChecksum(request)
      ? (501, [], "<Error><Code>NotImplemented</Code></Error>")
      : (200, [HTTPField("ETag", "\"t\"")], "")
  }

  private static func hasChecksum(_ request: HTTPRequest) -> Bool {
    request.fields.contains { $0.name.lowercased().hasPrefix("x-amz-checksum") }
  }

  @Test func `an upload that is refused while another tries with less waits for the outcome`()
    throws
  {
    let client = self
    let refusals = Mutex(0)
    let others = Mutex<[String]>([])
    let outcome = try put { request in
      guard !Self.hasChecksum(request) else { return Self.reply(request) }
      // This is the trial: others come and are refused meanwhile.
      for _ in 0..<3 {
        Foundation.Thread.detachNewThread {
          let words: String
          do {
            let outcome = try client.put { request in
              if Self.hasChecksum(request) { refusals.withLock { $0 += 1 } }
              return Self.reply(request)
            }
            words = "\(outcome == .stored("\"t\""))"
          } catch { words = "\(error)" }
          others.withLock { $0.append(words) }
        }
      }
      _ = eventually { refusals.withLock { $0 } == 3 }
      usleep(100_000)
      return Self.reply(request)
    }
    #expect(outcome == .stored("\"t\""))
    #expect(eventually { others.withLock { $0.count } == 3 })
    #expect(others.withLock { $0 } == ["true", "true", "true"])
  }

  @Test func `a trial that came to nothing lets those who wait go on at once`() throws {
    let client = self
    let error = Mutex<String?>(nil)
    let refusal = (400, [HTTPField](), "<Error><Code>InvalidArgument</Code></Error>")
    let other = try? put { request in
      if !Self.hasChecksum(request), error.withLock({ $0 }) == nil {
        error.withLock { $0 = "" }
        Foundation.Thread.detachNewThread {
          do { _ = try client.put { _ in refusal } } catch let failure {
            error.withLock { $0 = "\(failure)" }
          }
        }
        usleep(200_000)
      }
      return refusal
    }
    #expect(other == nil)
    #expect(eventually { error.withLock { $0 } == "PutObject: status 400 InvalidArgument" })
  }
}
