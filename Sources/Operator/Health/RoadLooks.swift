package import Gateway
internal import HTTPTransport
internal import Offload
internal import Primitives
internal import Registry
internal import S3
internal import Settings
internal import Store
package import Telemetry

/// Reads S3 as clients do: by a GET of one byte of an object that clients were just sent to, through the URL that
/// they got, on a new connection, with a check of its certificate.
package struct RoadLooks: Sendable {
  private let locations: Locations

  package init(_ locations: Locations) { self.locations = locations }

  /// Looks at all roads that are due.
  ///
  /// - Returns: how all roads are now.
  package func look() -> HealthStatus {
    let all = locations.all
    var seen: Set<ObjectIdentifier> = []
    for location in all {
      guard let road = location.road, seen.insert(ObjectIdentifier(road)).inserted,
        let stops = road.beginLook(at: Moment.now().steady)
      else { continue }
      road.use(LookTimes(timeout: location.settings.s3Limits.head))
      let unreadable = road.endLook(met(stops, location))
      guard !unreadable.isEmpty else { continue }
      var http = HTTPClient()
      for stop in unreadable { _ = locations.markUnreadable(stop, by: &http) }
    }
    return status(all)
  }

  private func met(
    _ stops: [ClientRoad.Stop], _ location: Location
  ) -> [(stop: ClientRoad.Stop?, outcome: ClientRoad.Outcome)] {
    // No client was sent there yet. The answer for an absent blob also shows that the road works.
    guard !stops.isEmpty else {
      return location.meet(.ofNothing, size: nil).map { [(nil, $0)] } ?? []
    }
    return location.meet(stops)
  }

  private func status(_ all: [Location]) -> HealthStatus {
    var states: [ClientRoad.State] = []
    for location in all {
      if let words = location.engine.frontTrouble(at: .now()) {
        return .bad(
          "The web server can't read from \(location.clientEndpoint): \(words). Blobs pass to the registry for some seconds, then one tries again."
        )
      }
      guard let road = location.road else { continue }
      if case .bad(let words) = road.state { return .bad(location.badRoad(words, road.hasWorked)) }
      states.append(road.state)
    }
    if states.isEmpty {
      return .unwatched("BLOBLO_LOOK_AS_CLIENT=off, or BLOBLO_DELIVERY=pass.")
    }
    if states.contains(.unknown) { return .unknown }
    return .good("\(locations.standard.clientEndpoint) answers bloblo as a client.")
  }
}

extension Location {
  fileprivate func badRoad(_ words: String, _ hasWorked: Bool) -> String {
    let advice =
      hasWorked
      ? "Check \(clientEndpoint), its certificate, and the key that signs."
      : "Check BLOBLO_S3_PUBLIC_ENDPOINT_URL and the key that signs. If clients can reach it and this host can't, set BLOBLO_LOOK_AS_CLIENT=off."
    return
      "Clients can't read from \(clientEndpoint): \(words). Blobs pass to the registry. \(advice)"
  }
}
