import FastCGI
import HTTPTransport
import Offload
import Registry
import Threading

extension BlobHandler {
  func pass(_ exchange: BlobExchange, _ reason: PassReason) {
    pass(exchange.request, exchange.blob, exchange.location, reason)
  }

  /// Leaves the answer to the registry: by the web server's hand, or by ours where it has none.
  func pass(
    _ request: Request, _ blob: BlobRequest?, _ location: Location, _ reason: PassReason
  ) {
    log.passed(blob, reason)
    let kind = frontServer.resolved(for: request)
    guard kind == .none else { return location.front.pass(request, kind) }
    let relay = Relay(
      upstream: location.settings.upstream, isHostPreserved: location.settings.isHostPreserved)
    let isTaken = relaying.submit { http in relay.answer(request, by: &http) }
    if !isTaken { request.refuse(503, "too many requests at a time: BLOBLO_STREAM_THREADS") }
  }

  /// Has the web server read the bucket.
  func accelerate(_ exchange: BlobExchange, _ proof: BlobProof, _ url: [UInt8]) {
    let kind = frontServer.resolved(for: exchange.request)
    guard kind != .none, let target = SignedTarget(url) else {
      return pass(exchange, .noAcceleration)
    }
    guard kind != .apache || url.count < apacheLineBytes else { return pass(exchange, .longURL) }
    log.decided("accelerate", exchange.blob)
    exchange.location.front.accelerate(
      exchange.request, kind, proof, target, exchange.blob.path.digest)
  }

  /// Sends the client to the bucket.
  func redirect(_ exchange: BlobExchange, to url: [UInt8]) {
    guard
      url.count < apacheLineBytes || frontServer.resolved(for: exchange.request) != .apache
    else { return pass(exchange, .longURL) }
    log.decided("redirect", exchange.blob)
    exchange.location.front.redirect(exchange.request, to: url, exchange.blob.path.digest)
  }
}

/// Apache takes header lines of up to 8 KiB from a responder, and answers a longer one with a 500.
private let apacheLineBytes = 8000
