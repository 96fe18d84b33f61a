import FastCGI
import Logging
import Offload
import Primitives
import Registry

/// Keeps account of what becomes of requests: figures, log, and the last passes.
///
/// Told before a request is answered: its params end with the answer.
final class Ledger: Sendable {
  let figures = Figures()
  let recentPasses = RecentPasses()
  let log: DecisionLog

  init(_ logger: Logger, _ volume: LogVolume) { log = DecisionLog(logger, volume) }

  /// - Parameters:
  ///   - road: by which the client gets the bytes, if it does.
  ///   - size: of the whole blob.
  func decided(
    _ kind: DecisionKind, _ exchange: BlobExchange, by road: Road? = nil, size: Int64? = nil
  ) {
    figures.decisions[kind].add()
    let bytes = size.map { exchange.bodyBytes(of: $0) }
    if let road, let bytes { figures.bytes[road].add(bytes) }
    time(exchange)
    guard log.isOn else { return }
    var facts = exchange.facts
    facts.isFromMemory = exchange.trace == nil
    log.decided(kind.word, facts, size: size, bytes: road == nil ? 0 : bytes)
  }

  /// A decision that is not of a blob.
  func decided(_ kind: DecisionKind, _ facts: @autoclosure () -> RequestFacts) {
    figures.decisions[kind].add()
    guard log.isOn else { return }
    log.decided(kind.word, facts(), size: nil, bytes: nil)
  }

  /// A body begins that we send.
  ///
  /// - Returns: what the line at its end will say; `nil` when there will be none.
  func begin(_ kind: DecisionKind, _ exchange: BlobExchange, size: Int64) -> Logger.Metadata? {
    figures.decisions[kind].add()
    time(exchange)
    guard log.isOn else { return nil }
    let fields = exchange.facts.fields(decision: kind.word, size: size)
    log.begun(fields)
    return fields
  }

  /// A body has ended that we sent.
  func end(_ fields: Logger.Metadata?, by road: Road, bytes: Int64) {
    figures.bytes[road].add(bytes)
    if let fields { log.decided(fields, bytes: bytes) }
  }

  func passed(_ exchange: BlobExchange, _ reason: PassReason) {
    time(exchange)
    passed(exchange.facts, exchange.location, reason)
  }

  func passed(_ facts: RequestFacts, _ location: Location, _ reason: PassReason) {
    let now = Moment.now()
    figures.passes[reason.kind].add()
    let size = facts.blob.flatMap { facts.trace?.size ?? location.engine.knownSize(of: $0) }
    if let blob = facts.blob, let size, blob.method == .get, reason.kind.hasBody {
      figures.bytes[.passed].add(facts.request.bodyBytes(blob, of: size))
    }
    recentPasses.note(reason, facts.request, facts.blob, at: now.unix)
    log.alarm(reason, facts.blob, at: now)
    if log.isOn { log.passed(facts, reason, size: size) }
  }

  func found(_ wrong: WrongObject, _ blob: BlobRequest, want size: Int64) {
    figures.wrongObjects.add()
    log.found(wrong, blob, want: size, at: .now())
  }

  /// Upstream was asked, unless a proof was remembered.
  func asked(_ trace: Trace) {
    guard let time = trace.upstreamTime else { return }
    figures.upstreamTime.observe(nanoseconds: time.nanoseconds)
  }

  /// S3 was asked.
  func looked(_ look: Look) { figures.storeTime.observe(nanoseconds: look.time.nanoseconds) }

  private func time(_ exchange: BlobExchange) {
    guard let stopwatch = exchange.stopwatch else { return }
    figures.decisionTime.observe(
      nanoseconds: stopwatch.nanoseconds,
      weight: exchange.trace == nil ? Figures.sampling : 1)
  }
}

extension PassReason.Kind {
  /// Whether the registry is going to answer with the blob, as far as is known.
  fileprivate var hasBody: Bool {
    switch self {
    case .upstreamStatus, .upstreamName, .upstreamPage, .upstreamRedirect, .upstreamDigest, .loop,
      .deletion:
      false
    default: true
    }
  }
}
