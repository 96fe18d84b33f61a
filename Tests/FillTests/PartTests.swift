import HTTPTransport
import Hashing
import S3
import Testing

@testable import Fill

@Suite struct PartSizeTests {
  @Test func `parts have the preferred size as long as 10,000 are enough`() {
    #expect(PartSize(for: 1, preferred: 8 << 20).bytes == 8 << 20)
    #expect(PartSize(for: 10_000 * (8 << 20), preferred: 8 << 20).bytes == 8 << 20)
    #expect(PartSize(for: 10_000 * (8 << 20) + 1, preferred: 8 << 20).bytes == 9 << 20)
  }

  @Test func `the largest object there can be has 10,000 parts at most`() {
    let size: Int64 = 5 << 40
    let part = PartSize(for: size, preferred: PartSize.smallestBytes).bytes
    #expect((size + part - 1) / part <= 10_000)
  }
}

@Suite struct PartCutterTests {
  @Test(arguments: [1, 3, 10, 11, 64], [PartChecksum.Algorithm.sha256, .crc32c])
  func `pieces of any size make the same parts`(
    _ piece: Int, _ algorithm: PartChecksum.Algorithm
  ) {
    let bytes = (0..<25).map { UInt8($0) }
    var parts: [BlobPart] = []
    let cutter = PartCutter(size: 25, partBytes: 10, algorithm) { parts.append($0) }
    for start in stride(from: 0, to: bytes.count, by: piece) {
      cutter.append(Array(bytes[start..<min(start + piece, bytes.count)]).span)
    }
    #expect(parts.map(\.number) == [1, 2, 3])
    #expect(parts.map(\.offset) == [0, 10, 20])
    #expect(parts.map(\.count) == [10, 10, 5])
    for part in parts {
      var sum = PartSum(algorithm)
      sum.update(Array(bytes[Int(part.offset)..<Int(part.offset + part.count)]).span)
      #expect(part.checksum == sum.finish())
    }
  }
}

private func sha256(_ bytes: [UInt8]) -> [UInt8] {
  var hash = HashFunction(.sha256)
  hash.update(bytes.span)
  return hash.finalize()
}

/// Room in a budget, or `.noRoom`.
func room(_ bytes: Int64, in budget: SpoolBudget) throws(FillError) -> SpoolBudget.Reservation {
  guard let reservation = budget.reserve(bytes) else { throw .noRoom(bytes) }
  return reservation
}

@Suite struct SpoolBudgetTests {
  @Test func `what is reserved is given back when it is let go of`() throws {
    let budget = SpoolBudget(limit: 10)
    do {
      let first = try room(6, in: budget)
      #expect(throws: FillError.noRoom(5)) { _ = try room(5, in: budget) }
      #expect(budget.usedBytes == 6)
      extendLifetime(first)
    }
    #expect(budget.usedBytes == 0)
  }

  @Test(arguments: [Int64.max, 11, -1])
  func `nothing overflows it`(_ bytes: Int64) {
    let budget = SpoolBudget(limit: 10)
    #expect(throws: FillError.noRoom(bytes)) { _ = try room(bytes, in: budget) }
    #expect(budget.usedBytes == 0)
  }
}

@Suite struct SpoolTests {
  @Test func `a spool has no name, and gives its bytes back`() throws {
    let reservation = try room(100, in: SpoolBudget(limit: 100))
    let spool = try Spool(in: "/tmp", reservation)
    let bytes = [UInt8](repeating: 7, count: 100)
    try spool.write(Array(bytes[50...]).span, at: 50)
    try spool.write(Array(bytes[..<50]).span, at: 0)
    let digest = sha256(bytes)
    #expect(try spool.sha256(from: 0, count: 100) == digest)
    #expect(try spool.sha256(from: 60, count: 40) == sha256([UInt8](repeating: 7, count: 40)))
  }

  @Test(arguments: [1, 3, 10, 64])
  func `the room of a part that is up serves the next one`(_ piece: Int) throws {
    let spool = try Spool(
      in: "/tmp", room(55, in: SpoolBudget(limit: 55)), recycledBytes: 10)
    let bytes = (0..<55).map { UInt8($0) }
    var written = 0
    // Parts leave out of order, and at most three have room at a time.
    for (end, up) in [(25, 10), (35, 20), (45, 0), (55, 30)] {
      while written < end {
        let next = min(written + piece, end)
        try spool.write(Array(bytes[written..<next]).span, at: Int64(written))
        written = next
      }
      #expect(try spool.sha256(from: Int64(up), count: 10) == sha256(Array(bytes[up..<(up + 10)])))
      spool.discard(Int64(up))
    }
    #expect(try spool.sha256(from: 40, count: 15) == sha256(Array(bytes[40...])))
    if case .file(_, let position, let count) = spool.body(50, count: 5) {
      #expect(position < 30)
      #expect(count == 5)
    } else {
      Issue.record("a body that is no file")
    }
  }

  @Test func `no place of a part ends behind the blob`() {
    var places = SpoolPlaces(partBytes: 10)
    // All parts of 25 bytes have a place at the same time.
    #expect([0, 10, 20].map { places.take($0).position } == [0, 10, 20])
    #expect(places.find(24)?.position == 24)
    places.free(10)
    #expect(places.find(10) == nil)
    #expect(places.take(35) == (15, 5))
  }

  @Test func `no folder is an error`() {
    let error = openError(in: "/nowhere")
    #expect(error == .spool("open /nowhere", 2))
  }

  private func openError(in folder: String) -> FillError? {
    do throws(FillError) {
      _ = try Spool(in: folder, room(1, in: SpoolBudget(limit: 1)))
      return nil
    } catch {
      return error
    }
  }
}
