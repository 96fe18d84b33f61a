internal import Glibc

/// The params of one request: names and values in one buffer, encoded as FastCGI encodes them.
///
/// Source: FastCGI 1.0 §3.4.
///
/// A class: a struct's tables are copied at each look-up.
final class Params: Sendable {
  /// Where a pair's name and value stand.
  private struct Pair {
    let name: Range<Int>
    let value: Range<Int>
  }

  /// Params whose places are known without a walk; web servers send some twenty.
  private static let indexLimit = 32

  /// All pairs.
  let bytes: [UInt8]
  private let count: Int
  /// How many of the first pairs have a place in the tables.
  private let indexed: Int
  /// A bit for each kind of name that is there: most names that are looked up are of a kind that is not.
  private let kinds: UInt64
  /// Whether the name of each of the first pairs begins with a B, as `BLOBLO_…` does: a bit each.
  private let beginsWithB: UInt32
  /// Where each of the first pairs begins.
  private let starts: InlineArray<32, UInt16>
  /// What their names are first told apart by, a byte each, eight to a word, the first one lowest.
  private let keys: InlineArray<4, UInt64>

  /// - Returns: `nil` when a length leads beyond the end, or a name or value holds a NUL, which no web server
  ///   sends.
  init?(encoded bytes: [UInt8]) {
    var (count, indexed) = (0, 0)
    var kinds: UInt64 = 0
    var beginsWithB: UInt32 = 0
    var starts = InlineArray<32, UInt16>(repeating: 0)
    var keys = InlineArray<4, UInt64>(repeating: 0)
    var zerosOfLengths = 0
    let areWhole = unsafe bytes.withUnsafeBufferPointer { bytes in
      var at = 0
      while at < bytes.count {
        let start = at
        guard let nameCount = unsafe Self.length(in: bytes, &at, &zerosOfLengths),
          let valueCount = unsafe Self.length(in: bytes, &at, &zerosOfLengths),
          nameCount <= bytes.count - at, valueCount <= bytes.count - at - nameCount
        else { return false }
        let key = nameCount == 0 ? 0 : unsafe Self.key(nameCount, last: bytes[at + nameCount - 1])
        kinds |= Self.kind(of: key)
        if indexed == count, indexed < Self.indexLimit, let place = UInt16(exactly: start) {
          starts[indexed] = place
          keys[indexed / 8] |= UInt64(key) << UInt64(indexed % 8 * 8)
          if nameCount > 0, unsafe bytes[at] == UInt8(ascii: "B") {
            beginsWithB |= 1 << UInt32(indexed)
          }
          indexed += 1
        }
        count += 1
        at += nameCount + valueCount
      }
      return unsafe Self.zeros(in: bytes) == zerosOfLengths
    }
    guard areWhole else { return nil }
    self.bytes = bytes
    self.count = count
    self.indexed = indexed
    self.kinds = kinds
    self.beginsWithB = beginsWithB
    self.starts = starts
    self.keys = keys
  }

  /// Those of a process: its environment.
  static func ofProcess() -> Params {
    var bytes: [UInt8] = []
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
      unsafe entry += 1
      guard let equals = unsafe strchr(text, Int32(UInt8(ascii: "="))) else { continue }
      let nameCount = unsafe text.distance(to: equals)
      let valueCount = unsafe strlen(equals + 1)
      bytes.append(length: nameCount)
      bytes.append(length: valueCount)
      unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: text, count: nameCount))
      unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: equals + 1, count: valueCount))
    }
    guard let params = Params(encoded: bytes) else { preconditionFailure("a C string holds a NUL") }
    return params
  }

  /// Where in `bytes` the value of a param stands; `nil` when there is none. The first of duplicates counts.
  func value(of name: StaticString) -> Range<Int>? {
    unsafe value(of: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  func value(of name: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    guard let last = unsafe name.last else { return nil }
    let key = Self.key(name.count, last: last)
    guard kinds & Self.kind(of: key) != 0 else { return nil }
    let bytes = bytes
    for word in keys.indices {
      var hits = Self.zeroBytes(of: keys[word] ^ (UInt64(key) &* 0x0101_0101_0101_0101))
      while hits != 0 {
        let i = word * 8 + hits.trailingZeroBitCount / 8
        hits &= hits - 1
        guard i < indexed, let pair = Self.pair(in: bytes.span, at: Int(starts[i])),
          pair.name.count == name.count, unsafe equals(pair.name, name)
        else { continue }
        return pair.value
      }
    }
    return count > indexed ? unsafe valueBeyondIndex(of: name) : nil
  }

  /// How many params have this name.
  func count(of name: StaticString) -> Int {
    let name = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    guard let first = unsafe value(of: name) else { return 0 }
    let bytes = bytes
    var count = 1
    var at = first.upperBound
    while let pair = Self.pair(in: bytes.span, at: at) {
      if pair.name.count == name.count, unsafe equals(pair.name, name) { count += 1 }
      at = pair.value.upperBound
    }
    return count
  }

  private func valueBeyondIndex(of name: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    let bytes = bytes
    guard indexed > 0,
      var at = Self.pair(in: bytes.span, at: Int(starts[indexed - 1]))?.value.upperBound
    else { return nil }
    while let pair = Self.pair(in: bytes.span, at: at) {
      if pair.name.count == name.count, unsafe equals(pair.name, name) { return pair.value }
      at = pair.value.upperBound
    }
    return nil
  }

  /// Shows the params whose names begin with `prefix`, in the web server's order.
  func forEach(
    prefix: UnsafeBufferPointer<UInt8>,
    _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void
  ) {
    let bytes = bytes
    let span = bytes.span
    if unsafe prefix.first == UInt8(ascii: "B"), count == indexed {
      var left = beginsWithB
      while left != 0 {
        let at = Int(starts[left.trailingZeroBitCount])
        left &= left - 1
        guard let pair = Self.pair(in: span, at: at), unsafe begins(pair.name, with: prefix) else {
          continue
        }
        body(span.extracting(pair.name), span.extracting(pair.value))
      }
      return
    }
    var at = 0
    while let pair = Self.pair(in: span, at: at) {
      at = pair.value.upperBound
      guard unsafe begins(pair.name, with: prefix) else { continue }
      body(span.extracting(pair.name), span.extracting(pair.value))
    }
  }

  private func begins(_ name: Range<Int>, with prefix: UnsafeBufferPointer<UInt8>) -> Bool {
    guard name.count >= prefix.count else { return false }
    if prefix.isEmpty { return true }
    return unsafe equals(name.lowerBound..<(name.lowerBound + prefix.count), prefix)
  }

  private func equals(_ range: Range<Int>, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      guard let ours = bytes.baseAddress, let theirs = name.baseAddress else { return false }
      return unsafe memcmp(ours + range.lowerBound, theirs, range.count) == 0
    }
  }

  private static func pair(in bytes: Span<UInt8>, at start: Int) -> Pair? {
    var at = start
    guard let nameCount = length(in: bytes, &at), let valueCount = length(in: bytes, &at),
      nameCount <= bytes.count - at, valueCount <= bytes.count - at - nameCount
    else { return nil }
    let nameEnd = at + nameCount
    return Pair(name: at..<nameEnd, value: nameEnd..<(nameEnd + valueCount))
  }

  /// Of the length and the last byte of a name: few names are compared byte by byte.
  private static func key(_ length: Int, last: UInt8) -> UInt8 {
    UInt8(truncatingIfNeeded: length) &* 7 &+ last
  }

  /// The highest bit of each byte that is 0, and perhaps of others above one.
  ///
  /// Source: <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>
  private static func zeroBytes(of word: UInt64) -> UInt64 {
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
  }

  /// One bit of 64.
  private static func kind(of key: UInt8) -> UInt64 { 1 << UInt64(key & 63) }

  private static func zeros(in bytes: UnsafeBufferPointer<UInt8>) -> Int {
    guard let start = bytes.baseAddress else { return 0 }
    var (zeros, at) = (0, 0)
    while at < bytes.count, let zero = unsafe memchr(start + at, 0, bytes.count - at) {
      zeros += 1
      at = unsafe UnsafeRawPointer(zero) - UnsafeRawPointer(start) + 1
    }
    return zeros
  }

  /// The same as below; counts the zeros among its bytes.
  private static func length(
    in bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int, _ zeros: inout Int
  ) -> Int? {
    guard at < bytes.count else { return nil }
    let first = unsafe bytes[at]
    guard first >= 0x80 else {
      at += 1
      if first == 0 { zeros += 1 }
      return Int(first)
    }
    let start = at
    guard let length = unsafe length(in: bytes.span, &at) else { return nil }
    for i in start..<at where unsafe bytes[i] == 0 { zeros += 1 }
    return length
  }

  /// A length is one byte, or four of which the first has its highest bit set.
  private static func length(in bytes: Span<UInt8>, _ at: inout Int) -> Int? {
    guard at < bytes.count else { return nil }
    let first = bytes[at]
    guard first >= 0x80 else {
      at += 1
      return Int(first)
    }
    guard at + 4 <= bytes.count else { return nil }
    var length = Int(first & 0x7F)
    for i in (at + 1)..<(at + 4) { length = length << 8 | Int(bytes[i]) }
    at += 4
    return length
  }
}

extension [UInt8] {
  /// Adds the length of a name or a value.
  mutating func append(length: Int) {
    guard length >= 0x80 else { return append(UInt8(length)) }
    append(UInt8(truncatingIfNeeded: length >> 24) | 0x80)
    for shift in [16, 8, 0] { append(UInt8(truncatingIfNeeded: length >> shift)) }
  }
}
