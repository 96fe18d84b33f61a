/// Tells whether a whole request stands in a buffer, so that libfcgi will read it without waiting.
///
/// A record, FastCGI 1.0 §3.3:
///
///     version  type  requestId(2)  contentLength(2)  paddingLength  reserved  content…  padding…
///
/// A responder's request is BEGIN_REQUEST, PARAMS…, PARAMS(0), STDIN…, STDIN(0), all with one id; an
/// authorizer's has no STDIN. The role is the second byte of BEGIN_REQUEST's content, §5.1.
enum RecordScanner {
  private static let headerBytes = 8
  private static let beginRequest: UInt8 = 1
  private static let params: UInt8 = 4
  private static let stdin: UInt8 = 5
  private static let authorizer: UInt8 = 2

  /// Anything out of the ordinary is "no": then a thread that may wait reads it.
  static func holdsWholeRequest(_ bytes: Span<UInt8>) -> Bool {
    var at = 0
    var id: (UInt8, UInt8)?
    var paramsEnded = false
    var isForAuthorizer = false
    while at + headerBytes <= bytes.count {
      let type = bytes[at + 1]
      let contentLength = Int(bytes[at + 4]) << 8 | Int(bytes[at + 5])
      let next = at + headerBytes + contentLength + Int(bytes[at + 6])
      guard bytes[at] == 1, next <= bytes.count else { return false }
      let recordID = (bytes[at + 2], bytes[at + 3])
      switch (id, type) {
      case (nil, beginRequest):
        id = recordID
        isForAuthorizer = contentLength >= 2 && bytes[at + headerBytes + 1] == authorizer
      case (let id?, params) where id == recordID:
        paramsEnded = contentLength == 0
        if paramsEnded, isForAuthorizer { return true }
      case (let id?, stdin) where id == recordID && paramsEnded:
        if contentLength == 0 { return true }
      default: return false
      }
      at = next
    }
    return false
  }
}
