/// Puts the lines of a response's head together.
///
/// Source: RFC 9112 §4, §5. Lines come one by one, ends included, as libcurl has found them.
struct HeadParser {
  enum Step {
    case more
    case head(HTTPResponseHead)
    case invalid(String)
  }

  private static let bytesLimit = 64 << 10

  private var status: Int?
  private var fields: [HTTPField] = []
  private var bytes = 0

  mutating func take(_ line: Span<UInt8>) -> Step {
    bytes += line.count
    guard bytes <= Self.bytesLimit else {
      return .invalid("the head is larger than \(Self.bytesLimit) bytes")
    }
    let text = line.extracting(0..<line.trimmed(line.indices).upperBound)
    if text.count == 0 {
      guard let status else { return .more }
      let head = HTTPResponseHead(status: status, fields: fields)
      self = HeadParser()
      return .head(head)
    }
    guard status != nil else {
      guard let parsed = Self.status(text) else { return .invalid("no HTTP status line") }
      status = parsed
      return .more
    }
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return .more }
    fields.append(
      HTTPField(
        text.extracting(0..<colon).text,
        text.extracting(text.trimmed((colon + 1)..<text.count)).bytes))
    return .more
  }

  /// The code in `HTTP/1.1 200 OK`.
  private static func status(_ line: Span<UInt8>) -> Int? {
    guard let space = line.firstIndex(of: 0x20), line.extracting(0..<space).text.hasPrefix("HTTP/"),
      line.count >= space + 4
    else { return nil }
    return Int(line.extracting((space + 1)..<(space + 4)).text)
  }
}

extension Span<UInt8> {
  /// The range without white space and line ends around it.
  func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while end > start, self[end - 1] <= 0x20 { end -= 1 }
    while start < end, self[start] <= 0x20 { start += 1 }
    return start..<end
  }

  func firstIndex(of byte: UInt8) -> Int? {
    for i in indices where self[i] == byte { return i }
    return nil
  }

  var bytes: [UInt8] { unsafe withUnsafeBufferPointer { unsafe Array($0) } }

  var text: String { unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) } }
}
