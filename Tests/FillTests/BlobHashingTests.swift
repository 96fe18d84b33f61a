import HTTPTransport
import Hashing
import Registry
import S3
import TestSupport
import Testing
import Threading

@testable import Fill

@Suite struct BlobHashingTests {
  private let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
  private let pool = ThreadPool<Void>(name: "hash", threadLimit: 1, queueLimit: 1) { () }

  private func fill(for bytes: [UInt8]) throws -> (BlobFill, Spool) {
    var hash = HashFunction(.sha256)
    hash.update(bytes.span)
    let name = String(decoding: Hex.encode(hash.finalize().span), as: UTF8.self)
    let fill = BlobFill(try #require(Digest("sha256:\(name)")), size: Int64(bytes.count))
    let count = Int64(bytes.count)
    return (fill, try Spool(in: "/tmp", room(count, in: SpoolBudget(limit: count))))
  }

  @Test func `it follows a spool that grows, and hands each part on when it is whole`() throws {
    let (fill, spool) = try fill(for: bytes)
    let parts = Monitor<[BlobPart]>([])
    let hashing = BlobHashing(
      fill, spool: spool,
      parts: .init(bytes: 300_000, algorithm: .sha256) { part in parts.update { $0.append(part) } },
      courtesy: Courtesy(to: nil))
    #expect(hashing.start(on: pool))
    fill.begin(.init(status: 200, fields: []), spool)
    try spool.write(Array(bytes[..<650_000]).span, at: 0)
    fill.advance(to: 650_000)
    // Two parts are whole, long before the blob is.
    #expect(parts.wait(for: patience) { $0.count == 2 ? true : nil } == true)
    try spool.write(Array(bytes[650_000...]).span, at: 650_000)
    fill.advance(to: 1_000_000)
    try hashing.waitForVerdict()
    #expect(parts.withLock { $0.map(\.count) } == [300_000, 300_000, 300_000, 100_000])
  }

  @Test func `it leaves the machine to clients first`() throws {
    let (fill, spool) = try fill(for: bytes)
    let (parts, clients) = (Monitor(0), ReadersAlong(places: 2, pause: .zero))
    clients.begin()
    let hashing = BlobHashing(
      fill, spool: spool,
      parts: .init(bytes: 300_000, algorithm: .sha256) { _ in parts.update { $0 += 1 } },
      courtesy: Courtesy(to: clients, for: .seconds(3600)))
    fill.begin(.init(status: 200, fields: []), spool)
    try spool.write(bytes.span, at: 0)
    fill.advance(to: 1_000_000)
    #expect(hashing.start(on: pool))
    #expect(parts.wait(for: .milliseconds(300)) { $0 > 0 ? true : nil } == nil)
    clients.end()
    try hashing.waitForVerdict()
    #expect(parts.withLock { $0 } == 4)
  }

  @Test func `it waits for no clients of a fill that has broken`() throws {
    let (fill, spool) = try fill(for: bytes)
    let clients = ReadersAlong(places: 2, pause: .zero)
    clients.begin()
    let hashing = BlobHashing(
      fill, spool: spool, parts: nil, courtesy: Courtesy(to: clients, for: .seconds(3600)))
    fill.begin(.init(status: 200, fields: []), spool)
    #expect(hashing.start(on: pool))
    fill.fail(.short(1_000_000, 10))
    #expect(throws: FillError.short(1_000_000, 10)) { try hashing.waitForVerdict() }
  }

  @Test func `other bytes than the digest's are told`() throws {
    let (fill, spool) = try fill(for: bytes)
    fill.begin(.init(status: 200, fields: []), spool)
    try spool.write([UInt8](repeating: 1, count: bytes.count).span, at: 0)
    fill.advance(to: Int64(bytes.count))
    guard
      case .failure(.wrongDigest(let want, let got)) = BlobHashing(
        fill, spool: spool, parts: nil, courtesy: Courtesy(to: nil)
      )
      .verify()
    else {
      Issue.record("want a wrong digest")
      return
    }
    #expect(want == fill.digest.description && got != want)
  }

  @Test func `it ends when the reading breaks off, bytes left or not`() throws {
    let (fill, spool) = try fill(for: bytes)
    let hashing = BlobHashing(fill, spool: spool, parts: nil, courtesy: Courtesy(to: nil))
    fill.begin(.init(status: 200, fields: []), spool)
    #expect(hashing.start(on: pool))
    fill.advance(to: 10)
    fill.fail(.short(1_000_000, 10))
    #expect(throws: FillError.short(1_000_000, 10)) { try hashing.waitForVerdict() }
  }
}
