package import Gateway
internal import HTTPTransport
internal import Offload
internal import Primitives
internal import Registry
internal import S3
internal import Settings
internal import Store

/// Asks servers that do not answer, and S3 servers in use that have not answered for some seconds, so that no client
/// has to wait to find out.
package struct ServerLooks: Sendable {
  /// For a look at a server that is known not to answer. With the pause between two looks it is shorter than
  /// `Breaker.rest`, so that no client asks in between.
  private static let patience = Duration.seconds(3)

  package let locations: Locations

  package init(
    locations: Locations
  ) {
    self.locations = locations
  }

  /// Asks each registry that is known not to answer.
  package func lookAtUpstreams() {
    var seen: Set<ObjectIdentifier> = []
    for location in locations.all {
      let watch = location.watches.upstream
      guard watch.isBad, seen.insert(ObjectIdentifier(watch)).inserted else { continue }
      watch.endLook(ask(location.settings.upstream), at: Moment.now().steady)
    }
  }

  private func ask(_ registry: UpstreamRegistry) -> Breaker<RepositoryName>.Outcome {
    // A new connection: a kept one says nothing about the next.
    var http = HTTPClient()
    let request = HTTPRequest(
      .get, "\(registry.url)/v2/", fields: [HTTPField("Via", "1.1 bloblo")],
      limits: registry.limits.within(Self.patience))
    do {
      _ = try http.head(of: request)
      return .answer
    } catch {
      return error.kind == .connect ? .noConnection : .noAnswer
    }
  }

  /// Asks each S3 server that is due.
  package func lookAtStores() {
    var seen: Set<ObjectIdentifier> = []
    for location in locations.all {
      let (watch, now) = (location.watches.store, Moment.now().steady)
      guard seen.insert(ObjectIdentifier(watch)).inserted, watch.isLookDue(at: now) else {
        continue
      }
      let times = LookTimes(timeout: location.settings.s3Limits.head)
      watch.use(times)
      let limit = watch.isBad ? Self.patience : times.limit
      watch.beginLook(at: now)
      watch.endLook(ask(location.store, within: limit), at: Moment.now().steady)
    }
  }

  private func ask(_ store: S3BlobStore, within limit: Duration) -> Breaker<Digest>.Outcome {
    var http = HTTPClient()
    var client = store.bucket
    client.limits = client.limits.within(limit)
    do {
      _ = try client.head(store.key(of: .ofNothing), over: &http, now: .now())
      return .answer
    } catch {
      return error.outcome
    }
  }
}
