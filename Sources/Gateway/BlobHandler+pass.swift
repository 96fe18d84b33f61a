internal import FastCGI
internal import Offload
internal import Registry
internal import Settings
internal import Telemetry
internal import Threading

extension BlobHandler {
  /// Passes the request to the registry, and starts what makes the next request quicker.
  func pass(_ exchange: BlobExchange, _ reason: PassReason) {
    switch reason {
    case .busy where !purges.isHeld(exchange.blob.path.digest): tee.fillLater(exchange)
    case .unknownSize where exchange.blob.method == .get: tee.learnSize(exchange)
    default: break
    }
    passer.pass(exchange, because: reason)
  }

  func pass(
    _ request: Request, in location: Location, because reason: PassReason, id: RequestID? = nil
  ) {
    passer.pass(request, in: location, because: reason, id: id)
  }

  /// Tells the web server to read the bucket.
  func accelerate(
    _ exchange: BlobExchange, proof: BlobProof, to url: [UInt8], size: Int64
  ) {
    let kind = frontServer.resolved(for: exchange.request)
    guard kind != .none, let target = SignedTarget(url) else {
      return pass(exchange, .noAcceleration)
    }
    guard kind != .apache || url.count < apacheLineBytes else { return pass(exchange, .longURL) }
    guard exchange.asksForBytes(of: size) else { return pass(exchange, .range) }
    recorder.decided(.accelerate, exchange, by: .accelerated, size: size)
    exchange.location.front.accelerate(
      exchange.request, by: kind, proof: proof, to: target, digest: exchange.blob.path.digest)
  }

  /// Sends the client to the bucket.
  func redirect(_ exchange: BlobExchange, to url: [UInt8], size: Int64) {
    guard
      url.count < apacheLineBytes || frontServer.resolved(for: exchange.request) != .apache
    else { return pass(exchange, .longURL) }
    recorder.decided(.redirect, exchange, by: .redirected, size: size)
    exchange.location.front.redirect(exchange.request, to: url, exchange.blob.path.digest)
  }
}

extension BlobExchange {
  /// Whether a blob of `size` has bytes in the range that the request asks for. nginx with a cache would make the 416
  /// itself, with the fields of a 200.
  fileprivate func asksForBytes(of size: Int64) -> Bool {
    guard blob.range == .single,
      let range = request.withParameter("HTTP_RANGE", { ByteRange(field: $0) }) ?? nil
    else { return true }
    return range.resolved(of: size) != nil
  }
}

/// Apache takes header lines of up to 8 KiB from a responder, and answers a longer one with a 500.
private let apacheLineBytes = 8000
