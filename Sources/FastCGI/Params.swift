internal import Glibc

/// The params of one request: names and values in one buffer, encoded as FastCGI encodes them.
///
/// Source: FastCGI 1.0 §3.4.
///
/// A class, since its tables are larger than what is well copied at each look-up.
final class Params: @unchecked Sendable {
  // @unchecked: written while it is made, and never again.

  /// Where a pair's name and value stand.
  private struct Pair {
    let name: Range<Int>
    let value: Range<Int>
  }

  /// Params whose places are known without a walk; web servers send some thirty.
  private static let indexed = 48

  private let bytes: [UInt8]
  private var count = 0
  /// Where each of the first pairs begins.
  private var starts = InlineArray<48, UInt32>(repeating: 0)
  /// The length and the last byte of each of their names: a look-up compares few names byte by byte.
  private var keys = InlineArray<48, UInt16>(repeating: 0)

  /// - Returns: `nil` when a length leads beyond the end, or a name or value holds a NUL, which no web server
  ///   sends.
  init?(encoded bytes: [UInt8]) {
    self.bytes = bytes
    var at = 0
    var zerosOfLengths = 0
    while at < bytes.count {
      guard let pair = Self.pair(in: bytes.span, at: at) else { return nil }
      for i in at..<pair.name.lowerBound where bytes[i] == 0 { zerosOfLengths += 1 }
      if count < Self.indexed {
        starts[count] = UInt32(at)
        keys[count] = Self.key(
          length: pair.name.count, last: pair.name.isEmpty ? 0 : bytes[pair.name.upperBound - 1])
      }
      count += 1
      at = pair.value.upperBound
    }
    var zeros = 0
    for byte in bytes where byte == 0 { zeros += 1 }
    guard zeros == zerosOfLengths else { return nil }
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

  /// Lends the value of a param; the first of duplicates counts.
  func withValue<Result>(
    of name: UnsafeBufferPointer<UInt8>, _ body: (Span<UInt8>) -> Result
  ) -> Result? {
    guard let range = unsafe value(of: name) else { return nil }
    let bytes = bytes
    return body(bytes.span.extracting(range))
  }

  /// Shows the params whose names begin with `prefix`, in the web server's order.
  func forEach(
    prefix: UnsafeBufferPointer<UInt8>, _ body: (_ name: String, _ value: Span<UInt8>) -> Void
  ) {
    let bytes = bytes
    let span = bytes.span
    var at = 0
    while let pair = Self.pair(in: span, at: at) {
      at = pair.value.upperBound
      guard pair.name.count >= prefix.count,
        unsafe equals(pair.name.lowerBound..<(pair.name.lowerBound + prefix.count), prefix)
      else { continue }
      body(String(decoding: bytes[pair.name], as: UTF8.self), span.extracting(pair.value))
    }
  }

  private func value(of name: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    guard !name.isEmpty else { return nil }
    let key = Self.key(length: name.count, last: unsafe name[name.count - 1])
    let bytes = bytes
    let span = bytes.span
    for i in 0..<min(count, Self.indexed) where keys[i] == key {
      guard let pair = Self.pair(in: span, at: Int(starts[i])),
        pair.name.count == name.count, unsafe equals(pair.name, name)
      else { continue }
      return pair.value
    }
    guard count > Self.indexed,
      var at = Self.pair(in: span, at: Int(starts[Self.indexed - 1]))?.value.upperBound
    else { return nil }
    while let pair = Self.pair(in: span, at: at) {
      if pair.name.count == name.count, unsafe equals(pair.name, name) { return pair.value }
      at = pair.value.upperBound
    }
    return nil
  }

  private func equals(_ range: Range<Int>, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      guard let ours = bytes.baseAddress, let theirs = name.baseAddress else { return false }
      return unsafe memcmp(ours + range.lowerBound, theirs, range.count) == 0
    }
  }

  private static func key(length: Int, last: UInt8) -> UInt16 {
    UInt16(UInt8(clamping: length)) | UInt16(last) << 8
  }

  private static func pair(in bytes: Span<UInt8>, at start: Int) -> Pair? {
    var at = start
    guard let nameCount = length(in: bytes, &at), let valueCount = length(in: bytes, &at),
      nameCount <= bytes.count - at, valueCount <= bytes.count - at - nameCount
    else { return nil }
    let nameEnd = at + nameCount
    return Pair(name: at..<nameEnd, value: nameEnd..<(nameEnd + valueCount))
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
