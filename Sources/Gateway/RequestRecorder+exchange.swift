internal import FastCGI
internal import Logging
internal import Offload
internal import Primitives
internal import Telemetry

extension RequestRecorder {
  /// - Parameters:
  ///   - path: by which the client gets the bytes, if it does.
  ///   - size: of the whole blob.
  func decided(
    _ kind: DecisionKind, _ exchange: BlobExchange, by path: DeliveryPath? = nil, size: Int64? = nil
  ) {
    metrics.decisions[kind].add()
    let bytes = size.map { exchange.bodyBytes(of: $0) }
    if let path, let bytes { metrics.bytes[path].add(bytes) }
    if path != nil { exchange.location.passes.give() }
    time(exchange)
    guard log.isOn else { return }
    var facts = exchange.facts
    facts.isFromMemory = exchange.trace == nil
    log.decided(kind.word, facts, size: size, bytes: path == nil ? 0 : bytes)
  }

  /// bloblo begins to send a body.
  ///
  /// - Returns: the fields of the log line at its end; `nil` when there will be no line.
  func begin(_ kind: DecisionKind, _ exchange: BlobExchange, size: Int64) -> Logger.Metadata? {
    metrics.decisions[kind].add()
    exchange.location.passes.give()
    time(exchange)
    guard log.isOn else { return nil }
    let fields = exchange.facts.fields(decision: kind.word, size: size)
    log.begun(fields)
    return fields
  }

  func passed(_ exchange: BlobExchange, _ reason: PassReason) {
    time(exchange)
    if exchange.blob.method == .get { exchange.location.passes.pass(reason.kind) }
    let size = exchange.trace?.size ?? exchange.location.engine.knownSize(of: exchange.blob)
    let hasBody = exchange.blob.method == .get && reason.kind.hasBody
    if hasBody, size == nil { metrics.unsizedPasses.add() }
    passed(
      exchange.facts, reason, size: size,
      bytes: hasBody ? size.map { exchange.bodyBytes(of: $0) } : nil)
  }

  /// Takes back what `decided` has counted as accelerated: the web server could not read it.
  ///
  /// - Parameter size: the object's; `nil` when bloblo does not remember that it sent the web server there.
  func unread(
    _ report: UnreadReport, _ request: Request, size: Int64?, endpoint: String, at now: Moment
  ) {
    let bytes = size.map { size in
      request.withParameter("HTTP_RANGE") { BlobRequest.Range.count(field: $0, of: size) } ?? size
    }
    if let bytes {
      metrics.decisions[.accelerate].takeBack(1)
      metrics.bytes[.accelerated].takeBack(bytes)
    }
    passed(
      RequestFacts(request: request, blob: nil), .unread(report.words), size: size,
      bytes: bytes)
    log.unread(report.digest, at: endpoint, path: report.path, report.words, at: now)
  }

  private func time(_ exchange: BlobExchange) {
    guard let stopwatch = exchange.stopwatch else { return }
    metrics.decisionTime.observe(
      nanoseconds: stopwatch.nanoseconds,
      weight: exchange.trace == nil ? Metrics.sampling : 1)
  }
}

extension PassReason.Kind {
  /// Whether the registry is expected to answer with the blob.
  fileprivate var hasBody: Bool {
    switch self {
    case .upstreamStatus, .upstreamName, .upstreamPage, .upstreamRedirect, .upstreamDigest, .loop,
      .deletion:
      false
    default: true
    }
  }
}
