import Offload
import Testing

@Suite struct ByteRangesTests {
  private func parts(_ field: String, of size: Int64 = 100) -> [Range<Int64>]? {
    ByteRanges(field: Array(field.utf8).span)?.resolved(of: size)
  }

  @Test(
    arguments: [
      ("bytes=0-1,3-4", [0..<2, 3..<5]), ("Bytes=0-1, 3-4 ,,-1", [0..<2, 3..<5, 99..<100]),
      ("bytes=5-9,0-1", [5..<10, 0..<2]), ("bytes=0-1,0-1", [0..<2, 0..<2]),
      ("bytes=0-1,200-300", [0..<2]), ("bytes=90-,0-0", [90..<100, 0..<1]),
      ("bytes=0-,0-", [0..<100, 0..<100]),
    ] as [(String, [Range<Int64>])])
  func `ranges are given in the order in which they are asked for`(
    _ field: String, _ wanted: [Range<Int64>]
  ) {
    #expect(parts(field) == wanted)
  }

  @Test(arguments: [
    "bytes=0-1", "bytes=", "items=0-1,2-3", "bytes=0-1,x", "bytes=0-1,5-3", "bytes=200-,300-",
    "bytes=0-,0-,0-0",
  ])
  func `what is no list, or costs too much, is the registry's`(_ field: String) {
    #expect(parts(field) == nil)
  }

  @Test func `so are more than 64`() {
    let ranges = (0..<65).map { "\($0)-\($0)" }
    #expect(parts("bytes=" + ranges.joined(separator: ","), of: 1000) == nil)
    #expect(parts("bytes=" + ranges.dropLast().joined(separator: ","), of: 1000)?.count == 64)
  }

  @Test func `near parts are read together, far ones apart`() {
    let (near, far) = (JoinedRead.gap + 10, JoinedRead.gap * 3)
    let reads = JoinedRead.reads(of: [0..<10, near..<(near + 5), far..<(far + 1), 0..<1])
    #expect(reads.map(\.span) == [0..<(near + 5), far..<(far + 1), 0..<1])
    #expect(reads[0].parts == [0..<10, near..<(near + 5)])
  }

  @Test func `overlapping ones are read once, and no more at a time than memory allows`() {
    let limit = JoinedRead.limit
    #expect(JoinedRead.reads(of: [0..<10, 5..<20, 5..<6]).map(\.span) == [0..<20])
    #expect(JoinedRead.reads(of: [0..<limit, limit..<(limit + 1)]).count == 2)
  }
}
