import FastCGI
import HTTPTransport
import Offload
import Registry
import Threading

extension BlobHandler {
  /// Leaves the answer to the registry: by the web server's hand, or by ours where it has none.
  func pass(
    _ request: Request, _ blob: BlobRequest?, _ location: Location, _ reason: PassReason
  ) {
    log.passed(blob, reason)
    let kind = frontServer.resolved(for: request)
    guard kind == .none else { return location.front.pass(request, kind) }
    let relay = Relay(
      upstream: location.settings.upstream, isHostPreserved: location.settings.isHostPreserved)
    let isTaken = streaming.submit { http in relay.answer(request, by: &http) }
    if !isTaken { request.refuse(503, "too many requests at a time: BLOBLO_STREAM_THREADS") }
  }

  /// Has the web server read the bucket.
  func accelerate(
    _ request: Request, _ blob: BlobRequest, _ location: Location, _ proof: BlobProof, _ url: [UInt8]
  ) {
    let kind = frontServer.resolved(for: request)
    guard kind != .none, let target = SignedTarget(url) else {
      return pass(request, blob, location, .noAcceleration)
    }
    // Apache takes lines of 8 KiB, and answers a longer one with a 500 of its own.
    guard kind != .apache || target.path.count < 8000 else {
      return pass(request, blob, location, .longURL)
    }
    log.decided("accelerate", blob)
    location.front.accelerate(request, kind, proof, target, blob.path.digest)
  }

  /// Sends the client to the bucket.
  func redirect(_ request: Request, _ blob: BlobRequest, _ location: Location, to url: [UInt8]) {
    guard url.count < 8000 || frontServer.resolved(for: request) != .apache else {
      return pass(request, blob, location, .longURL)
    }
    log.decided("redirect", blob)
    location.front.redirect(request, to: url, blob.path.digest)
  }
}
