internal import FastCGI
internal import Offload
internal import Primitives
internal import Registry
internal import Telemetry
internal import Threading

extension BlobHandler {
  /// Relays a DELETE of a blob, even where the web server could hand it on: bloblo must hear the answer.
  func delete(_ deletion: BlobDeletion, for request: Request, in location: Location) {
    recorder.passed(RequestFacts(request: request, blob: nil), .deletion)
    let locations = locations
    @Sendable func end(_ outcome: BlobDeletion.Outcome) {
      locations.end(deletion, outcome, in: location, at: .now())
    }
    let relay = Relay(location)
    let isTaken = passer.relaying.submit { http in relay.answer(request, by: &http, onOutcome: end)
    }
    guard !isTaken else { return }
    // The web server may hand the DELETE on to the registry after a 503: forget the blob first.
    end(.unknown)
    request.refuse(503, "too many requests at a time: BLOBLO_STREAM_THREADS")
  }
}

extension BlobDeletion {
  /// - Returns: `nil` when it is not a DELETE of a blob.
  init?(_ request: Request) {
    guard request.role == .responder, request.isDelete, let target = request.target,
      let target = DeletionTarget(target.span)
    else { return nil }
    self.init(target)
  }
}
