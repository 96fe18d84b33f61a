internal import FastCGI
internal import Telemetry

extension RequestID {
  /// The one that came with the request, if it is sane, or a new one; the same each time.
  init(_ request: Request) {
    if let known = request.identifier {
      self.init(known)
      return
    }
    let own: [UInt8]?? = request.withParameter("HTTP_X_REQUEST_ID") { value in
      Self.isSane(value) ? unsafe value.withUnsafeBufferPointer { unsafe Array($0) } : nil
    }
    self.init((own ?? nil) ?? Self.made())
    request.identifier = bytes
  }
}

extension Request: RecordedRequest {
  var id: RequestID { RequestID(self) }
}
