/// Tells what of a request stands in a buffer: whether libfcgi will read it without waiting, and whether
/// it may be read at all.
///
/// A record, FastCGI 1.0 §3.3:
///
///     version  type  requestId(2)  contentLength(2)  paddingLength  reserved  content…  padding…
///
/// A responder's request is BEGIN_REQUEST, PARAMS…, PARAMS(0), STDIN…, STDIN(0), all with one id; an
/// authorizer's has no STDIN. The role is the second byte of BEGIN_REQUEST's content, §5.1.
enum RecordScanner {
  enum Finding {
    /// All of it is there.
    case whole
    /// The params are, and are sound; the body may be waited for.
    case params
    /// More must come before anything can be said.
    case part
    /// No web server sends this.
    case broken
  }

  private static let headerBytes = 8
  private static let beginRequest: UInt8 = 1
  private static let params: UInt8 = 4
  private static let stdin: UInt8 = 5
  private static let getValues: UInt8 = 9
  private static let authorizer: UInt8 = 2

  static func scan(_ bytes: Span<UInt8>) -> Finding {
    var at = 0
    var id: (UInt8, UInt8)?
    var paramsEnded = false
    var isForAuthorizer = false
    var lengths = ParamLengths()
    // An answer to a question between requests may have to wait.
    var isPlain = true
    while at + headerBytes <= bytes.count {
      let type = bytes[at + 1]
      let contentLength = Int(bytes[at + 4]) << 8 | Int(bytes[at + 5])
      let next = at + headerBytes + contentLength + Int(bytes[at + 6])
      guard bytes[at] == 1 else { return .broken }
      guard next <= bytes.count else { break }
      let content = bytes.extracting((at + headerBytes)..<(at + headerBytes + contentLength))
      let recordID = (bytes[at + 2], bytes[at + 3])
      switch (id, type) {
      case (nil, getValues) where recordID == (0, 0):
        var lengths = ParamLengths()
        guard lengths.take(content), lengths.isBetweenPairs else { return .broken }
        isPlain = false
      case (nil, beginRequest):
        id = recordID
        isForAuthorizer = contentLength >= 2 && content[1] == authorizer
      case (let id?, params) where id == recordID:
        guard !paramsEnded || contentLength == 0, lengths.take(content) else { return .broken }
        paramsEnded = contentLength == 0
        guard !paramsEnded || lengths.isBetweenPairs else { return .broken }
        if paramsEnded, isForAuthorizer { return isPlain ? .whole : .params }
      case (let id?, stdin) where id == recordID && paramsEnded:
        if contentLength == 0 { return isPlain ? .whole : .params }
      default: return .broken
      }
      at = next
    }
    return paramsEnded ? .params : .part
  }
}

/// Walks over name-value pairs, whose lengths libfcgi believes: it adds them up in 32 bits, and writes
/// where there is no memory.
///
/// Source: FastCGI 1.0 §3.4; CVE-2025-23016, of which libfcgi 2.4.2-2+deb12u1 mends a part.
private struct ParamLengths {
  private static let pairLimit = 16 << 20

  private var length: UInt32 = 0
  private var lengthBytesLeft = 0
  private var nameLength: Int?
  private var contentLeft = 0

  var isBetweenPairs: Bool { contentLeft == 0 && lengthBytesLeft == 0 && nameLength == nil }

  /// - Returns: `false` when a length is no length of a param.
  mutating func take(_ bytes: Span<UInt8>) -> Bool {
    var at = 0
    while at < bytes.count {
      if contentLeft > 0 {
        let count = min(contentLeft, bytes.count - at)
        contentLeft -= count
        at += count
        continue
      }
      take(lengthByte: bytes[at])
      at += 1
      guard contentLeft <= Self.pairLimit else { return false }
    }
    return true
  }

  /// A length is one byte, or four of which the first has its highest bit set.
  private mutating func take(lengthByte byte: UInt8) {
    if lengthBytesLeft > 0 {
      length = length << 8 | UInt32(byte)
      lengthBytesLeft -= 1
    } else {
      length = UInt32(byte & 0x7F)
      lengthBytesLeft = byte >= 0x80 ? 3 : 0
    }
    guard lengthBytesLeft == 0 else { return }
    if let name = nameLength {
      contentLeft = name + Int(length)
      nameLength = nil
    } else {
      nameLength = Int(length)
    }
  }
}
