internal import FastCGI
internal import HTTPTransport
internal import Offload
internal import Settings
internal import Telemetry
internal import Threading

/// Leaves the answer to the registry: the web server hands the request on, or bloblo relays it where the web server
/// can't.
final class Passer: Sendable {
  private let recorder: RequestRecorder
  private let locations: Locations
  private let frontServer: WebServer
  /// Threads that relay the registry's answers, each at the pace of its client.
  let relaying: ThreadPool<HTTPClient>

  init(_ settings: ProcessSettings, recorder: RequestRecorder, locations: Locations) {
    self.recorder = recorder
    self.locations = locations
    frontServer = settings.frontServer
    relaying = ThreadPool(name: "relay", threadLimit: settings.streamThreads, queueLimit: 0) {
      HTTPClient()
    }
  }

  /// - Parameter exchange: its client has got nothing yet.
  func pass(_ exchange: BlobExchange, because reason: PassReason) {
    recorder.passed(exchange, reason)
    handBack(exchange.request, in: exchange.location, because: reason)
  }

  func pass(
    _ request: Request, in location: Location, because reason: PassReason, id: RequestID? = nil
  ) {
    if reason == .loop { location.passes.pass(.loop) }
    recorder.passed(RequestFacts(request: request, blob: nil, id: id), reason)
    handBack(request, in: location, because: reason)
  }

  private func handBack(_ request: Request, in location: Location, because reason: PassReason) {
    let kind = frontServer.resolved(for: request)
    guard kind == .none else {
      let isUpstreamDown = reason.kind == .upstreamUnreachable
      return location.front.pass(request, kind, isUpstreamDown: isUpstreamDown)
    }
    let relay = Relay(location)
    let isSiteBelieved = reason != .wrongParams || !locations.refusesFields(of: request)
    let isTaken = relaying.submit { http in
      relay.answer(request, by: &http, isSiteBelieved: isSiteBelieved)
    }
    if !isTaken { request.refuse(503, "too many requests at a time: BLOBLO_STREAM_THREADS") }
  }
}
