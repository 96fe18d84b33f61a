package import Logging
package import Offload
internal import Primitives

/// The fields of a request's log line. They are read before the request is answered, since its params end then.
package struct RequestFacts {
  package let request: any RecordedRequest
  package let blob: BlobRequest?
  package var trace: LookupTrace?
  package var id: RequestID?
  /// Whether memory made the decision.
  package var isFromMemory = false

  package init(
    request: any RecordedRequest,
    blob: BlobRequest?,
    trace: LookupTrace? = nil,
    id: RequestID? = nil,
    isFromMemory: Bool = false
  ) {
    self.request = request
    self.blob = blob
    self.trace = trace
    self.id = id
    self.isFromMemory = isFromMemory
  }

  package func fields(decision: String, size: Int64?) -> Logger.Metadata {
    var fields = blob.map { blobFields($0) } ?? [:]
    fields["decision"] = "\(decision)"
    fields["request.id"] = "\(id ?? request.id)"
    for (name, parameter) in parameters {
      // Long values are cut: people read the log.
      guard let value = request.parameter(parameter)?.prefix(256), !value.isEmpty else { continue }
      fields[name] = "\(String(decoding: value, as: UTF8.self))"
    }
    if let size { fields["blob.size"] = .stringConvertible(size) }
    if isFromMemory {
      fields["proof"] = "memory"
      if blob?.method == .get { fields["presence"] = "memory" }
    }
    if let trace { fields.merge(trace.fields) { $1 } }
    return fields
  }
}

private let parameters: [(String, StaticString)] = [
  ("method", "REQUEST_METHOD"),
  ("client.address", "REMOTE_ADDR"),
  ("client.forwarded-for", "HTTP_X_FORWARDED_FOR"),
  ("range", "HTTP_RANGE"),
]

extension LookupTrace {
  fileprivate var fields: Logger.Metadata {
    var fields: Logger.Metadata = [:]
    fields["proof"] = upstreamTime == nil ? "memory" : "upstream"
    if let upstreamTime {
      fields["upstream.ms"] = .stringConvertible(upstreamTime.inMilliseconds)
      if let upstreamStatus { fields["upstream.status"] = .stringConvertible(upstreamStatus) }
    }
    if let storeTime {
      fields["presence"] = "s3"
      fields["s3.ms"] = .stringConvertible(storeTime.inMilliseconds)
    } else if isPresenceRemembered {
      fields["presence"] = "memory"
    }
    return fields
  }
}

extension Duration {
  /// With microseconds.
  fileprivate var inMilliseconds: Double { Double(nanoseconds / 1000) / 1000 }
}
