internal import FastCGI
internal import HTTPTransport
internal import Offload
internal import Primitives
internal import Settings
internal import Telemetry
internal import Threading

/// Requests that are not for a blob.
extension BlobHandler {
  /// How long a ping or a token request waits for a thread.
  private static let longestWaitToAsk = Duration.milliseconds(500)

  /// Answers a ping or a token request, and passes anything else.
  func handleOther(_ request: Request, _ location: Location) {
    if hearUnread(request) || routes.contains(where: { $0.answer(request) }) { return }
    guard !pingAndToken.cache.isOff, let kind = PingAndToken.Kind(request) else {
      return pass(request, in: location, because: .notABlobRequest)
    }
    guard request.hasOnlyHarmlessFields else {
      return pass(request, in: location, because: .notRemembered)
    }
    let key = pingAndToken.key(of: request, in: location)
    if let answer = pingAndToken.cache.answer(to: key, at: .now()) {
      recorder.decided(.remember, RequestFacts(request: request, blob: nil))
      return location.front.relay(request, answer)
    }
    let id = RequestID(request)
    let turn = Turn()
    let isTaken = asking.submit { [self] http in
      guard turn.take() else { return }
      guard let answer = pingAndToken.ask(kind, for: request, id: id, in: location, by: &http)
      else {
        return pass(request, in: location, because: .notRemembered, id: id)
      }
      recorder.decided(.remember, RequestFacts(request: request, blob: nil, id: id))
      location.front.relay(request, answer)
    }
    guard isTaken else { return pass(request, in: location, because: .busy, id: id) }
    // No thread is free: the web server asks the registry itself.
    _ = loop.after(Self.longestWaitToAsk) { [self] in
      if turn.take() { pass(request, in: location, because: .busy, id: id) }
    }
  }

  /// Takes in the web server's report that it could not read the bucket. Its client gets the registry's answer.
  ///
  /// - Returns: whether the request was such a report.
  private func hearUnread(_ request: Request) -> Bool {
    guard let report = UnreadReport(request) else { return false }
    let kind = frontServer.resolved(for: request)
    for (location, size) in unread.take(report, request, at: .now()) {
      _ = looking.submit { http in location.examine(report.digest, size: size, by: &http) }
    }
    locations.standard.front.pass(request, kind, isUpstreamDown: false)
    return true
  }
}
