internal import Primitives

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
  /// Most heads have no more fields.
  private static let usualFields = 12

  private var status: Int?
  private var isOldVersion = false
  private var fields: [HTTPField] = []
  private var bytes = 0

  mutating func take(_ line: Span<UInt8>) -> Step {
    bytes += line.count
    guard bytes <= Self.bytesLimit else {
      return .invalid("the head is larger than \(Self.bytesLimit) bytes")
    }
    if line.isLineEnd {
      guard let status else { return .more }
      var head = HTTPResponseHead(status: status, fields: fields)
      head.isOldVersion = isOldVersion
      self = HeadParser()
      return .head(head)
    }
    let text = line.extracting(0..<line.trimmed(line.indices).upperBound)
    guard status != nil else {
      guard let parsed = Self.status(text) else { return .invalid("no HTTP status line") }
      status = parsed
      isOldVersion = !line.begins(with: "HTTP/1.1")
      fields.reserveCapacity(Self.usualFields)
      return .more
    }
    if line[0] == 0x20 || line[0] == 0x09 {
      unfold(text)
    } else {
      add(text)
    }
    return .more
  }

  /// A line without a name is no field, nor is a value with a line end in it; other servers may read
  /// two fields there.
  private mutating func add(_ line: Span<UInt8>) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
    let name = line.extracting(line.trimmed(0..<colon))
    let value = line.extracting(line.trimmed((colon + 1)..<line.count))
    guard name.isToken, value.isOneLine else { return }
    fields.append(HTTPField(name, value))
  }

  /// A value goes on in the next line, RFC 9112 §5.2.
  private mutating func unfold(_ line: Span<UInt8>) {
    let rest = line.extracting(line.trimmed(line.indices))
    guard rest.count > 0, let field = fields.popLast(), rest.isOneLine else { return }
    fields.append(HTTPField(field.name, field.value + [0x20] + rest.bytes))
  }

  /// The code in `HTTP/1.1 200 OK`.
  private static func status(_ line: Span<UInt8>) -> Int? {
    guard let space = line.firstIndex(of: 0x20), line.extracting(0..<space).begins(with: "HTTP/"),
      line.count >= space + 4
    else { return nil }
    let code = line.extracting((space + 1)..<(space + 4)).decimal
    return code.flatMap { $0 >= 100 ? Int($0) : nil }
  }
}

extension Span<UInt8> {
  /// Whether it is an empty line. A line of white space is not: it goes on with a value.
  fileprivate var isLineEnd: Bool {
    count == 0 || self[count - 1] == 0x0A && (count == 1 || count == 2 && self[0] == 0x0D)
  }

  /// The range without white space and line ends around it.
  func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while end > start, self[end - 1] <= 0x20 { end -= 1 }
    while start < end, self[start] <= 0x20 { start += 1 }
    return start..<end
  }

  /// The number that decimal digits make, if there is nothing else and it fits.
  var decimal: Int64? {
    var number: Int64 = 0
    for i in indices {
      guard (0x30...0x39).contains(self[i]) else { return nil }
      let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
      let (sum, isOver) = tens.addingReportingOverflow(Int64(self[i] - 0x30))
      guard !isTooLarge, !isOver else { return nil }
      number = sum
    }
    return count > 0 ? number : nil
  }

  /// Source: RFC 9110 §5.6.2.
  var isToken: Bool {
    for i in indices where !self[i].isOfToken { return false }
    return count > 0
  }

  /// Whether no byte ends a line. Without a way out, so that the loop becomes a few vector instructions.
  var isOneLine: Bool {
    var ends: UInt8 = 0
    for i in indices {
      let byte = self[i]
      ends |= (byte == 0x0D ? 1 : 0) | (byte == 0x0A ? 1 : 0) | (byte == 0 ? 1 : 0)
    }
    return ends == 0
  }

  var bytes: [UInt8] { unsafe withUnsafeBufferPointer { unsafe Array($0) } }

  var text: String { unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) } }
}

extension UInt8 {
  /// Source: RFC 9110 §5.6.2.
  fileprivate var isOfToken: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x7C,
      0x7E:
      true
    default: false
    }
  }
}
