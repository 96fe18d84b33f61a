import HTTPTransport
import Primitives
import Testing

@testable import S3

struct ObjectHeadTests {
  private func head(_ fields: [String: String]) throws -> ObjectHead {
    let fields = [HTTPField("Content-Length", "7")] + fields.map { HTTPField($0, $1) }
    return try #require(ObjectHead(HTTPResponseHead(status: 200, fields: fields)))
  }

  private static let restored =
    "ongoing-request=\"false\", expiry-date=\"Fri, 24 May 2013 00:00:01 GMT\""

  @Test(arguments: [
    ([:], false), (["x-amz-storage-class": "STANDARD_IA"], false),
    (["x-amz-storage-class": "GLACIER_IR"], false), (["x-amz-storage-class": "GLACIER"], true),
    (["X-Amz-Storage-Class": "DEEP_ARCHIVE"], true),
    (
      ["x-amz-storage-class": "INTELLIGENT_TIERING", "x-amz-archive-status": "ARCHIVE_ACCESS"], true
    ),
    (["x-amz-storage-class": "GLACIER", "x-amz-restore": "ongoing-request=\"true\""], true),
    (["x-amz-storage-class": "GLACIER", "x-amz-restore": restored], false),
  ])
  func `what must be restored first is archived`(fields: [String: String], isArchived: Bool) throws
  {
    #expect(try head(fields).isArchived == isArchived)
  }

  @Test func `a restored copy ends when S3 says`() throws {
    let fields = ["x-amz-storage-class": "GLACIER", "x-amz-restore": Self.restored]
    #expect(try head(fields).expiration == SigV4Tests.now + 1)
    let sooner = "expiry-date=\"Fri, 24 May 2013 00:00:00 GMT\", rule-id=\"a\""
    let both = fields.merging(["x-amz-expiration": sooner]) { $1 }
    #expect(try head(both).expiration == SigV4Tests.now)
  }

  @Test(
    arguments: [
      (["x-amz-checksum-sha256": "abc="], "abc="),
      (["x-amz-checksum-sha256": "abc=", "x-amz-checksum-type": "FULL_OBJECT"], "abc="),
      (["x-amz-checksum-sha256": "abc=-2"], nil),
      (["x-amz-checksum-sha256": "abc=", "x-amz-checksum-type": "COMPOSITE"], nil), ([:], nil),
    ] as [([String: String], String?)])
  func `a checksum counts when it is of all bytes`(fields: [String: String], sha256: String?) throws
  {
    #expect(try head(fields).sha256 == sha256)
  }

  @Test func `metadata has its names without the prefix`() throws {
    #expect(try head(["X-Amz-Meta-Bloblo-Size": "7"]).metadata == ["bloblo-size": "7"])
  }
}
