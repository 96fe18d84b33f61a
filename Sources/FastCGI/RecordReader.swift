internal import CFastCGI

/// Reads the records of one connection as their bytes come, in whatever pieces.
///
/// A responder's request is BEGIN_REQUEST, PARAMS…, PARAMS(0), STDIN…, STDIN(0), all with one id; an
/// authorizer's has no STDIN. Bodies are not kept: nobody here wants them.
///
/// Source: FastCGI 1.0 §3, §5.
struct RecordReader {
  enum Event: ~Copyable {
    /// A request has come, but for its body.
    case request(Start, Params)
    /// Bytes of the body.
    case body(Int)
    /// The body is whole.
    case bodyEnd
    /// The web server wants no answer any more.
    case abort
    /// What is asked between requests.
    case values(Params)
    case unknownType(Int32)
    /// A second request beside the one that is there.
    case secondRequest(id: UInt16)
    /// No web server sends this.
    case broken
  }

  /// What BEGIN_REQUEST says. Source: FastCGI 1.0 §5.1.
  struct Start {
    let id: UInt16
    let role: Int32
    let isConnectionKept: Bool
  }

  private enum Stage {
    /// Between requests.
    case idle
    case params(Start)
    case body(Start)
  }

  /// Bytes of params of one request; web servers take far less of a client.
  private static let paramsLimit = 256 << 10
  /// Bytes of content that BEGIN_REQUEST and FCGI_GET_VALUES may have.
  private static let smallLimit = 1024

  private var stage = Stage.idle
  /// As one number, the first byte the highest.
  private var header: UInt64 = 0
  private var headerCount = 0
  private var record: RecordHeader?
  private var contentLeft = 0
  private var paddingLeft = 0
  /// The content of a BEGIN_REQUEST.
  private var beginning = InlineArray<8, UInt8>(repeating: 0)
  /// The names that FCGI_GET_VALUES asks for.
  private var names: [UInt8] = []
  private var params: [UInt8] = []
  /// Whether the request has been answered, so that its body may be cut short by the next one.
  var isAnswered = false

  /// Whether a part of a request is there, or of a record.
  var isWithinRequest: Bool {
    if case .params = stage { return true }
    return headerCount > 0 || record != nil
  }

  /// Reads on from `at`.
  ///
  /// - Returns: what has come; `nil` when the bytes are used up.
  mutating func next(_ bytes: Span<UInt8>, _ at: inout Int) -> Event? {
    while at < bytes.count || record != nil {
      guard let record else {
        if let event = takeHeader(bytes, &at) { return event }
        continue
      }
      if contentLeft > 0 {
        guard at < bytes.count else { return nil }
        let count = min(contentLeft, bytes.count - at)
        contentLeft -= count
        let content = bytes.extracting(at..<(at + count))
        at += count
        if let event = take(content, of: record) { return event }
      } else if paddingLeft > 0 {
        guard at < bytes.count else { return nil }
        let count = min(paddingLeft, bytes.count - at)
        paddingLeft -= count
        at += count
      } else {
        self.record = nil
        headerCount = 0
        if let event = end(record) { return event }
      }
    }
    return nil
  }

  private mutating func takeHeader(_ bytes: Span<UInt8>, _ at: inout Int) -> Event? {
    if headerCount == 0, bytes.count - at >= RecordHeader.byteCount {
      header = unsafe bytes.withUnsafeBytes {
        unsafe $0.loadUnaligned(fromByteOffset: at, as: UInt64.self).bigEndian
      }
      headerCount = RecordHeader.byteCount
      at += RecordHeader.byteCount
    }
    while headerCount < RecordHeader.byteCount {
      guard at < bytes.count else { return nil }
      header = header << 8 | UInt64(bytes[at])
      headerCount += 1
      at += 1
    }
    guard let record = RecordHeader(header) else { return .broken }
    self.record = record
    contentLeft = record.contentLength
    paddingLeft = record.paddingLength
    return isExpected(record) ? nil : .broken
  }

  /// Whether a record may come now.
  private func isExpected(_ record: RecordHeader) -> Bool {
    switch (stage, record.type) {
    case (_, FCGI_BEGIN_REQUEST): record.id != 0 && record.contentLength <= Self.smallLimit
    case (_, FCGI_GET_VALUES) where record.id == 0: record.contentLength <= Self.smallLimit
    case (_, _) where record.id == 0: true
    case (.params(let start), FCGI_PARAMS): record.id == start.id
    case (.params(let start), FCGI_ABORT_REQUEST): record.id == start.id
    case (.params, _): false
    case (.body, FCGI_PARAMS): record.contentLength == 0
    // What is left of a request that has been answered.
    case (_, FCGI_STDIN), (_, FCGI_DATA), (_, FCGI_ABORT_REQUEST): true
    default: false
    }
  }

  private mutating func take(_ content: Span<UInt8>, of record: RecordHeader) -> Event? {
    switch (stage, record.type) {
    case (.params, FCGI_PARAMS):
      guard params.count + content.count <= Self.paramsLimit else { return .broken }
      if params.isEmpty { params.reserveCapacity(record.contentLength) }
      unsafe content.withUnsafeBufferPointer { unsafe params.append(contentsOf: $0) }
    case (_, FCGI_BEGIN_REQUEST):
      guard record.contentLength == beginning.count else { return .broken }
      let start = record.contentLength - contentLeft - content.count
      for i in content.indices { beginning[start + i] = content[i] }
    case (_, FCGI_GET_VALUES):
      unsafe content.withUnsafeBufferPointer { unsafe names.append(contentsOf: $0) }
    case (.body(let start), FCGI_STDIN) where record.id == start.id: return .body(content.count)
    default: break
    }
    return nil
  }

  private mutating func end(_ record: RecordHeader) -> Event? {
    switch (stage, record.type) {
    case (_, FCGI_BEGIN_REQUEST): return begin(record)
    case (.params(let start), FCGI_PARAMS) where record.contentLength == 0: return endParams(start)
    case (.body(let start), FCGI_STDIN) where record.id == start.id && record.contentLength == 0:
      stage = .idle
      return .bodyEnd
    case (.params(let start), FCGI_ABORT_REQUEST), (.body(let start), FCGI_ABORT_REQUEST):
      return record.id == start.id ? .abort : nil
    case (_, FCGI_GET_VALUES) where record.id == 0:
      var encoded: [UInt8] = []
      swap(&encoded, &names)
      guard let params = Params(encoded: encoded) else { return .broken }
      return .values(params)
    case (_, let type) where record.id == 0: return .unknownType(type)
    default: return nil
    }
  }

  private mutating func begin(_ record: RecordHeader) -> Event? {
    guard record.contentLength == beginning.count else { return .broken }
    switch stage {
    case .params: return .secondRequest(id: record.id)
    case .body where !isAnswered: return .secondRequest(id: record.id)
    case .idle, .body: break
    }
    let start = Start(
      id: record.id, role: Int32(beginning[0]) << 8 | Int32(beginning[1]),
      isConnectionKept: beginning[2] & UInt8(FCGI_KEEP_CONN) != 0)
    stage = .params(start)
    isAnswered = false
    return nil
  }

  private mutating func endParams(_ start: Start) -> Event {
    // An authorizer is sent no body, nor the record that ends one.
    stage = start.role == FCGI_AUTHORIZER ? .idle : .body(start)
    var encoded: [UInt8] = []
    swap(&encoded, &params)
    guard let params = Params(encoded: encoded) else { return .broken }
    return .request(start, params)
  }
}
