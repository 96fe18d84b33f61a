internal import FastCGI
internal import Offload
internal import Primitives
internal import Telemetry

/// One request for a blob on its way through: what was asked, where, and by which request.
struct BlobExchange: Sendable {
  let request: Request
  let blob: BlobRequest
  let location: Location
  /// Runs since the request came; only those have one that are timed.
  var stopwatch: Stopwatch?
  /// What is known of it so far; `nil` when memory decides.
  var finding: Finding?
  /// Under which upstream was asked.
  var id: RequestID?
  /// Whether others may wait for the answer to this one's question.
  var isAskedForOthers = false
  /// What it has begun to ask for others of its repository.
  var led: RepositoryFlights.Led = []
  /// Whether it waits for nobody else's answer any more.
  var isAskedAlone = false
  /// Whether it was found out once before, and had changed meanwhile.
  var isAskedAgain = false

  /// What it took to find out; `nil` when memory knew.
  var trace: Trace? { finding?.trace }

  var facts: RequestFacts { RequestFacts(request: request, blob: blob, trace: trace, id: id) }

  /// How many bytes of a blob of this size the client has asked for.
  func bodyBytes(of size: Int64) -> Int64 { request.bodyBytes(blob, of: size) }
}

extension Request {
  func bodyBytes(_ blob: BlobRequest, of size: Int64) -> Int64 {
    if blob.range == .whole { return size }
    return withParameter("HTTP_RANGE") { BlobRequest.Range.count(field: $0, of: size) } ?? size
  }
}
