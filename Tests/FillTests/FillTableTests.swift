import Glibc
import HTTPTransport
import Primitives
import Registry
import Synchronization
import TestSupport
import Testing

@testable import Fill

@Suite struct FillTableTests {
  private func fill() throws -> BlobFill {
    BlobFill(try #require(Digest("sha256:" + String(repeating: "0", count: 64))), size: 10)
  }

  private func request() -> SingleUseRequest {
    SingleUseRequest(HTTPRequest(.get, "http://registry/"))
  }

  @Test func `a second client reads along`() throws {
    let (table, fill) = (FillTable(), try fill())
    #expect(table.find("a", request(), orStart: { fill }).fill === fill)
    #expect(table.find("a", request(), orStart: { nil }).fill === fill)
    table.remove("a", isPublished: false)
    guard case .none = table.find("a", request(), orStart: { nil }) else {
      Issue.record("it is there yet")
      return
    }
  }

  @Test func `what has just been published is not begun again`() throws {
    let (table, fill) = (FillTable(), try fill())
    _ = table.find("a", request(), orStart: { fill })
    table.remove("a", isPublished: true)
    guard case .published = table.find("a", request(), orStart: { fill }) else {
      Issue.record("a second fill")
      return
    }
    guard case .published = table.find("a", request(), isMissed: true, orStart: { fill }) else {
      Issue.record("a bucket may show it a moment late")
      return
    }
    #expect(table.find("b", request(), orStart: { fill }).fill === fill)
  }

  @Test func `a credential is kept for no longer than the queue may take`() throws {
    let table = FillTable()
    let (waiting, running) = (request(), request())
    let digest = try fill().digest
    _ = table.find("a", waiting) { BlobFill(digest, size: 1, hasTurn: false) }
    _ = table.find("b", running) { BlobFill(digest, size: 1) }
    table.dropRequests(waitingFor: .seconds(60), at: .now())
    usleep(2000)
    table.dropRequests(waitingFor: .milliseconds(1), at: .now())
    #expect(waiting.take() == nil)
    #expect(running.take() != nil)
    #expect(running.take() == nil)
  }

  @Test func `a credential that may still be needed is kept`() throws {
    let (table, waiting, digest) = (FillTable(), request(), try fill().digest)
    _ = table.find("a", waiting) { BlobFill(digest, size: 1, hasTurn: false) }
    table.dropRequests(waitingFor: .seconds(60), at: .now())
    #expect(waiting.take() != nil)
  }

  @Test func `a credential is kept for no longer than it lives itself`() throws {
    let (table, waiting, digest) = (FillTable(), request(), try fill().digest)
    let now = UnixTime(seconds: 1_000_000)
    _ = table.find("a", waiting, credentialEnd: now) {
      BlobFill(digest, size: 1, hasTurn: false)
    }
    table.dropRequests(waitingFor: .seconds(60), at: now)
    #expect(waiting.take() == nil)
  }

  @Test func `what is let go of is zeroed`() {
    let secret = [UInt8]("Bearer secret-word".utf8)
    let left = Mutex<[UInt8]?>(nil)
    var kept: KeptFields? = KeptFields([
      HTTPField("Authorization", secret), HTTPField("Cookie", ""), HTTPField("Host", "registry"),
    ]) { bytes in left.withLock { $0 = bytes } }
    #expect(kept?.copy.map(\.name) == ["Authorization", "Cookie", "Host"])
    #expect(kept?.copy.map(\.text) == ["Bearer secret-word", "", "registry"])
    #expect(left.withLock { $0 } == nil)
    kept = nil
    #expect(left.withLock { $0 } == Array(repeating: 0, count: secret.count + 8))
  }

  @Test func `a request is used once, and not after it was wiped`() {
    let request = HTTPRequest(.get, "http://registry/", fields: [HTTPField("Cookie", "a=b")])
    let (used, wiped) = (SingleUseRequest(request), SingleUseRequest(request))
    #expect(used.take()?.fields == request.fields)
    #expect(used.take() == nil)
    wiped.wipe()
    #expect(wiped.take() == nil)
  }

  @Test func `a fill is followed while a follower lives`() throws {
    let fill = try fill()
    do {
      let follower = FillFollower(fill, among: ReadersAlong(places: 1))
      #expect(!fill.failUnlessFollowed(.stale))
      extendLifetime(follower)
    }
    // Who comes after the last has gone, and after the decision, is not shown a first byte.
    #expect(fill.failUnlessFollowed(.stale))
    let late = FillFollower(fill, among: ReadersAlong(places: 1))
    #expect(late.reader(within: patience) == nil)
    #expect(late.failure == .stale)
  }

  @Test func `a look at who reads along, which changes nothing, wakes nobody`() throws {
    let fill = try fill()
    let calls = Mutex(0)
    let follower = FillFollower(fill, among: ReadersAlong(places: 1))
    guard case .asking = follower.beginning(orWhenChanged: { calls.withLock { $0 += 1 } }) else {
      Issue.record("it has begun")
      return
    }
    #expect(!fill.failUnlessFollowed(.stale))
    #expect(calls.withLock { $0 } == 0)
    fill.fail(.stale)
    #expect(calls.withLock { $0 } == 1)
  }

  @Test func `the first reason is the one that is told`() throws {
    let fill = try fill()
    fill.fail(.long(10))
    fill.fail(.stopping)
    #expect(FillFollower(fill, among: ReadersAlong(places: 1)).failure == .long(10))
  }

  @Test func `a fill that broke before its first byte has no reader`() throws {
    let fill = try fill()
    let follower = FillFollower(fill, among: ReadersAlong(places: 1))
    #expect(follower.reader(within: .milliseconds(1)) == nil)
    #expect(follower.failure == nil)
    fill.fail(.stale)
    #expect(follower.reader(within: patience) == nil)
    #expect(follower.failure == .stale)
  }

  @Test func `bytes that are there can be read after the break`() throws {
    let fill = try fill()
    let reservation = try room(10, in: SpoolBudget(limit: 10))
    fill.begin(.init(status: 200, fields: []), try Spool(in: "/tmp", reservation))
    let reader = try #require(
      FillFollower(fill, among: ReadersAlong(places: 1)).reader(within: patience))
    #expect(reader.progress(beyond: 0, within: .milliseconds(1)) == .waiting)
    fill.advance(to: 4)
    fill.fail(.short(10, 4))
    #expect(reader.progress(beyond: 0, within: patience) == .available(upTo: 4))
    #expect(reader.progress(beyond: 4, within: patience) == .broken)
  }
}

extension FillTable.Finding {
  fileprivate var fill: BlobFill? { if case .fill(let fill) = self { fill } else { nil } }
}
