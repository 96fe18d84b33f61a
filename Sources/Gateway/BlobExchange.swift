internal import FastCGI
internal import Offload
internal import Primitives
internal import Telemetry

/// One request for a blob: the question, the location, and the web server's request.
struct BlobExchange: Sendable {
  let request: Request
  let blob: BlobRequest
  let location: Location
  /// Runs since the request came; only one request in `Metrics.sampling` has one.
  var stopwatch: Stopwatch?
  /// What registry and bucket have said so far; `nil` when memory decides.
  var lookup: LookupResult?
  /// The `X-Request-Id` by which upstream was asked.
  var id: RequestID?
  /// Whether other requests may wait for the answer to this one's question.
  var isAskedForOthers = false
  /// The questions that it asks for other requests of its repository too.
  var led: RepositoryCoalescer.Led = []
  /// Whether it may not wait for another request's answer any more.
  var isAskedAlone = false
  /// Whether the decision was made once before, and the bucket had changed since.
  var isAskedAgain = false
  /// Whether it has waited so long that its proof was over.
  var isProvedAgain = false

  /// How long registry and bucket took; `nil` when memory decided.
  var trace: LookupTrace? { lookup?.trace }

  var facts: RequestFacts { RequestFacts(request: request, blob: blob, trace: trace, id: id) }

  /// How many bytes the client gets of a blob of this size.
  func bodyBytes(of size: Int64) -> Int64 { request.bodyBytes(blob, of: size) }
}

extension Request {
  func bodyBytes(_ blob: BlobRequest, of size: Int64) -> Int64 {
    if blob.range == .whole { return size }
    return withParameter("HTTP_RANGE") { BlobRequest.Range.count(field: $0, of: size) } ?? size
  }
}
