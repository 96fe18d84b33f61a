import HTTPTransport
import Registry
import Testing

@testable import Fill

@Suite struct FillTableTests {
  private func fill() throws -> BlobFill {
    BlobFill(try #require(Digest("sha256:" + String(repeating: "0", count: 64))), size: 10)
  }

  @Test func `a second client reads along`() throws {
    let (table, fill) = (FillTable(), try fill())
    #expect(table.find("a", orStart: { fill }) === fill)
    #expect(table.find("a", orStart: { nil }) === fill)
    table.remove("a")
    #expect(table.find("a", orStart: { nil }) == nil)
  }

  @Test func `a fill is followed while a follower lives`() throws {
    let fill = try fill()
    do {
      let follower = FillFollower(fill)
      #expect(fill.isFollowed)
      extendLifetime(follower)
    }
    #expect(!fill.isFollowed)
  }

  @Test func `a fill that broke before its first byte has no reader`() throws {
    let fill = try fill()
    let follower = FillFollower(fill)
    #expect(follower.reader(within: .milliseconds(1)) == nil)
    #expect(follower.failure == nil)
    fill.breakOff(.stale)
    #expect(follower.reader(within: .seconds(5)) == nil)
    #expect(follower.failure == .stale)
  }

  @Test func `bytes that are there can be read after the break`() throws {
    let fill = try fill()
    let reservation = try room(10, in: SpoolBudget(limit: 10))
    fill.begin(.init(status: 200, fields: []), try Spool(in: "/tmp", reservation))
    let reader = try #require(FillFollower(fill).reader(within: .seconds(1)))
    #expect(reader.progress(beyond: 0, within: .milliseconds(1)) == .waiting)
    fill.advance(to: 4)
    fill.breakOff(.short(10, 4))
    #expect(reader.progress(beyond: 0, within: .seconds(1)) == .available(upTo: 4))
    #expect(reader.progress(beyond: 4, within: .seconds(1)) == .broken)
  }
}
