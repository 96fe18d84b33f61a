/// One HTTP/1.1 request to a server that the operator has named.
package struct HTTPRequest: Sendable {
  package enum Method: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
  }

  package var method: Method
  /// Absolute, `http` or `https`, already percent-encoded: it goes out byte for byte.
  package var url: String
  /// Sent in this order. `Host`, when absent, is made from the URL.
  package var fields: [HTTPField]
  package var body: HTTPBody
  package var limits: HTTPLimits

  package init(
    _ method: Method, _ url: String, fields: [HTTPField] = [], body: HTTPBody = .none,
    limits: HTTPLimits = HTTPLimits()
  ) {
    self.method = method
    self.url = url
    self.fields = fields
    self.body = body
    self.limits = limits
  }
}

/// The bytes that go out with a request.
package enum HTTPBody: Sendable {
  case none
  case bytes([UInt8])
  /// `count` bytes that start at `offset` of an open file, read with `pread`, so that several requests
  /// can share one descriptor, and a request can be repeated.
  case file(descriptor: Int32, offset: Int64, count: Int64)
}

/// What bounds one exchange.
package struct HTTPLimits: Sendable {
  /// From the start until the connection, TLS included, is made.
  package var connect: Duration
  /// From the start until the whole head of the response is there; for a request with a body this
  /// counts from the end of the body's sending by `idle`.
  package var head: Duration
  /// How long the transfer may make no progress, in either direction, before it is given up.
  package var idle: Duration
  /// What counts as progress: fewer bytes within `idle` are none, so that a peer can't hold a transfer
  /// by a byte now and then.
  package var minimumProgress: Int64
  /// From the start to the end; `nil` for as long as there is progress.
  package var total: Duration?
  /// PEM file of the authorities to trust, instead of the system's.
  package var caFile: String?

  package init(
    connect: Duration = .seconds(5), head: Duration = .seconds(5), idle: Duration = .seconds(30),
    minimumProgress: Int64 = 1, total: Duration? = nil, caFile: String? = nil
  ) {
    self.connect = connect
    self.head = head
    self.idle = idle
    self.minimumProgress = minimumProgress
    self.total = total
    self.caFile = caFile
  }
}
