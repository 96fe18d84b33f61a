package import HTTPTransport
package import Offload
internal import Primitives

/// The most objects that one look as a client asks for.
private let stopLimit = 3

extension Location {
  /// Asks for objects as clients do, one after the other, until it is clear whether the road or the object is at
  /// fault.
  ///
  /// - Returns: nothing when no URL can be signed; then clients get none either.
  package func meet(
    _ stops: [ClientRoad.Stop]
  ) -> [(stop: ClientRoad.Stop?, outcome: ClientRoad.Outcome)] {
    var met: [(stop: ClientRoad.Stop?, outcome: ClientRoad.Outcome)] = []
    for stop in stops.prefix(stopLimit) {
      guard let outcome = meet(stop.key.digest, size: stop.size) else { return [] }
      met.append((stop, outcome))
      guard ClientRoad.needsAnother(outcome) else { break }
    }
    return met
  }
}

extension Locations {
  /// Looks by HEAD at an object that clients can't read. If the HEAD finds it, no client is sent there.
  package func markUnreadable(_ stop: ClientRoad.Stop, by http: inout HTTPClient) -> Look? {
    location(stop.key.location)?.engine.markUnreadable(stop.key, by: &http, at: .now())
  }

  /// Looks into the bucket for a client that came back for bytes that it was just sent to: first by HEAD, and if the
  /// HEAD finds the object, as the client.
  func lookForReturn(
    at key: BlobKey, in location: Location, by http: inout HTTPClient, at now: Moment
  ) -> Look {
    let look = location.engine.look(at: key, by: &http, isForReturn: true, at: now)
    guard let blob = look.readable, let road = location.road, road.takeTurn(at: now.steady) else {
      return look
    }
    defer { road.endTurn() }
    let met = location.meet([ClientRoad.Stop(key: key, size: blob.size)] + road.stops(besides: key))
    var found: Look?
    for unreadable in road.hear(met) {
      let look = markUnreadable(unreadable, by: &http)
      if unreadable.key == key { found = look }
    }
    if let found { return found }
    // The road seems to be at fault, not the object. The next client that comes back causes another look.
    if let first = met.first, first.outcome != .good {
      location.engine.forgetUnread(key.digest, in: location.id)
    }
    return look
  }
}
