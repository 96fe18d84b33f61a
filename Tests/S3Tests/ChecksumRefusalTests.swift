import HTTPTransport
import Primitives
import Testing

@testable import S3

/// When a bucket is no longer asked for objects' checksums.
struct ChecksumRefusalTests {
  static let now = SigV4Tests.now
  private let client: BucketClient

  init() throws {
    client = BucketClient(
      try Bucket("bucket", region: "us-east-1"), credential: SigV4Tests.credential)
  }

  private static let size = (200, [HTTPField("Content-Length", "7")])
  private static let sum = "+iyMxPKBdrvu1Lc231aaNMec03I+nsQvlnS01GrGuLg="
  private static let sizeAndSum = (200, size.1 + [HTTPField("x-amz-checksum-sha256", sum)])

  @Test(arguments: [
    [(403, []), (206, []), size, sizeAndSum, sizeAndSum],
    [(400, []), size, sizeAndSum, sizeAndSum], [(501, []), size, sizeAndSum, sizeAndSum],
  ])
  func `one refusal that is not repeated does not end the asking for checksums`(
    answers: [(Int, [HTTPField])]
  ) throws {
    var http = SequenceClient(answers)
    for _ in 0..<2 {
      let head = try client.head(ObjectKey("k"), over: &http, now: Self.now)
      #expect(head?.sha256 != nil)
    }
    let asksForChecksum = http.requests.filter { $0.method == .head }
      .map { $0.fields.first(named: "x-amz-checksum-mode") != nil }
    #expect(asksForChecksum == [true, false, true, true])
  }

  @Test(arguments: [503, 404])
  func `nor does an answer that is another one`(status: Int) throws {
    var http = SequenceClient([(400, []), Self.size, (status, []), Self.sizeAndSum])
    for _ in 0..<2 {
      #expect(try client.head(ObjectKey("k"), over: &http, now: Self.now)?.size == 7)
    }
    #expect(http.requests.last?.fields.first(named: "x-amz-checksum-mode") != nil)
  }

  @Test func `after some minutes one request asks again, and the others when it was answered`() {
    var asking = ChecksumAsking()
    let start = ContinuousClock.now
    func wish(_ seconds: Int) -> ChecksumAsking.Wish { asking.wish(at: start + .seconds(seconds)) }
    #expect(wish(0) == .first)
    asking.refused(at: start)
    #expect([wish(0), wish(299)] == [.none, .none])
    #expect([wish(300), wish(301)] == [.again, .none])
    asking.refused(at: start + .seconds(302))
    #expect([wish(310), wish(601)] == [.none, .none])
    #expect(wish(602) == .again)
    // Its answer is lost.
    #expect([wish(606), wish(607)] == [.none, .again])
    asking.accepted()
    #expect([wish(608), wish(608)] == [.first, .first])
  }
}
