import Offload
import Testing

@Suite struct ByteRangeTests {
  @Test(
    arguments: [
      ("bytes=0-", 0..<10), ("bytes=0-0", 0..<1), ("bytes=3-5", 3..<6), ("bytes=3-50", 3..<10),
      ("bytes=-4", 6..<10), ("bytes=-40", 0..<10), ("bytes=9-", 9..<10),
    ] as [(String, Range<Int64>)])
  func `a range is cut to the blob`(_ field: String, _ bytes: Range<Int64>) {
    #expect(ByteRange(field: Array(field.utf8).span)?.resolved(of: 10) == bytes)
  }

  @Test(arguments: ["bytes=10-", "bytes=10-12", "bytes=-0"])
  func `what lies beyond can't be satisfied`(_ field: String) {
    #expect(ByteRange(field: Array(field.utf8).span)?.resolved(of: 10) == nil)
  }

  @Test func `nothing of an empty blob can be asked for`() {
    for field in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
      #expect(ByteRange(field: Array(field.utf8).span)?.resolved(of: 0) == nil)
    }
  }

  @Test func `only from the first to the last byte is the whole`() {
    #expect(ByteRange(field: Array("bytes=0-".utf8).span)?.isWhole == true)
    for field in ["bytes=0-9", "bytes=1-", "bytes=-10"] {
      #expect(ByteRange(field: Array(field.utf8).span)?.isWhole == false)
    }
  }

  @Test(arguments: ["bytes=0-1,3-4", "items=0-", "bytes=", "bytes=5-3", "bytes=-"])
  func `another field is none`(_ field: String) {
    #expect(ByteRange(field: Array(field.utf8).span) == nil)
  }
}
