internal import CFastCGI

/// The head of a record. Source: FastCGI 1.0 §3.3.
///
///     version  type  requestId(2)  contentLength(2)  paddingLength  reserved
struct RecordHeader {
  static let byteCount = Int(FCGI_HEADER_LEN)
  /// As much as a record holds, in whole words.
  static let contentLimit = 65_528

  let type: Int32
  let id: UInt16
  let contentLength: Int
  let paddingLength: Int

  init(type: Int32, id: UInt16, contentLength: Int) {
    self.type = type
    self.id = id
    self.contentLength = contentLength
    paddingLength = 0
  }

  /// - Parameter word: the record's first eight bytes, the first one the highest.
  /// - Returns: `nil` for another version of the protocol.
  init?(_ word: UInt64) {
    guard word >> 56 == UInt64(FCGI_VERSION_1) else { return nil }
    type = Int32(UInt8(truncatingIfNeeded: word >> 48))
    id = UInt16(truncatingIfNeeded: word >> 32)
    contentLength = Int(UInt16(truncatingIfNeeded: word >> 16))
    paddingLength = Int(UInt8(truncatingIfNeeded: word >> 8))
  }

  /// As one number, the first byte the highest.
  var word: UInt64 {
    UInt64(FCGI_VERSION_1) << 56 | UInt64(UInt8(truncatingIfNeeded: type)) << 48
      | UInt64(id) << 32 | UInt64(UInt16(truncatingIfNeeded: contentLength)) << 16
  }
}

extension [UInt8] {
  mutating func append(_ header: RecordHeader) { append(words: [header.word]) }

  /// Adds the bytes of each number, the highest first.
  private mutating func append<let count: Int>(words: InlineArray<count, UInt64>) {
    var words = words
    for i in words.indices { words[i] = words[i].bigEndian }
    unsafe words.span.withUnsafeBytes { unsafe append(contentsOf: $0) }
  }

  /// Adds bytes of an answer's stream, in as many records as they need.
  mutating func append(output: Span<UInt8>, ofRequest id: UInt16) {
    var at = 0
    while at < output.count {
      let end = Swift.min(output.count, at + RecordHeader.contentLimit)
      append(RecordHeader(type: FCGI_STDOUT, id: id, contentLength: end - at))
      unsafe output.extracting(at..<end).withUnsafeBufferPointer {
        unsafe append(contentsOf: $0)
      }
      at = end
    }
  }

  /// Ends the answer's stream, and the request. Source: FastCGI 1.0 §5.5.
  mutating func append(endOfRequest id: UInt16) {
    append(words: [
      RecordHeader(type: FCGI_STDOUT, id: id, contentLength: 0).word,
      RecordHeader(type: FCGI_END_REQUEST, id: id, contentLength: 8).word,
      UInt64(FCGI_REQUEST_COMPLETE) << 24,
    ])
  }

  mutating func append(endOfRequest id: UInt16, protocolStatus: Int32) {
    append(words: [
      RecordHeader(type: FCGI_END_REQUEST, id: id, contentLength: 8).word,
      UInt64(UInt8(truncatingIfNeeded: protocolStatus)) << 24,
    ])
  }

  /// An empty record of the error stream, which web servers read and ignore: their read timeout starts anew.
  mutating func append(signOfLifeOfRequest id: UInt16) {
    append(RecordHeader(type: FCGI_STDERR, id: id, contentLength: 0))
  }

  /// Source: FastCGI 1.0 §4.2.
  mutating func append(unknownType type: Int32) {
    append(words: [
      RecordHeader(type: FCGI_UNKNOWN_TYPE, id: 0, contentLength: 8).word,
      UInt64(UInt8(truncatingIfNeeded: type)) << 56,
    ])
  }

  /// Answers FCGI_GET_VALUES: those of the asked names that we know. Source: FastCGI 1.0 §4.1.
  ///
  /// - Parameter connectionLimit: how many connections we take at a time; each has one request at a time.
  mutating func append(valuesOf names: Params, connectionLimit: Int) {
    let known: [(StaticString, String)] = [
      ("FCGI_MAX_CONNS", String(connectionLimit)), ("FCGI_MAX_REQS", String(connectionLimit)),
      ("FCGI_MPXS_CONNS", "0"),
    ]
    var content: [UInt8] = []
    for (name, value) in known {
      name.withUTF8Buffer { name in
        guard unsafe names.value(of: name) != nil else { return }
        content.append(length: name.count)
        content.append(length: value.utf8.count)
        unsafe content.append(contentsOf: name)
        content.append(contentsOf: value.utf8)
      }
    }
    append(RecordHeader(type: FCGI_GET_VALUES_RESULT, id: 0, contentLength: content.count))
    append(contentsOf: content)
  }
}
