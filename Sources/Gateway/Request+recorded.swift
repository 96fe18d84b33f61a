internal import FastCGI
internal import Telemetry

extension RequestID {
  /// The `X-Request-Id` that came with the request if it is valid, or else a new one; the same at each call.
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
