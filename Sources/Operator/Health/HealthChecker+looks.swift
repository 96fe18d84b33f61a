package import Gateway
package import Logging
package import Settings
internal import Telemetry
package import Threading

extension HealthChecker {
  /// Background looks that spare clients the wait: at objects, at roads, at S3 servers and at registries.
  package func looks(
    _ settings: ProcessSettings, services: GatewayServices, logger: Logger
  ) -> [any BackgroundService] {
    let locations = services.locations
    let presences = PresenceLooks(
      locations, perSecond: settings.presenceLooks, services.recorder.metrics)
    let servers = ServerLooks(locations: locations)
    let roads = RoadLooks(locations)
    return [
      PeriodicService("look-again", every: .milliseconds(50), logger: logger) {
        presences.look(&$0)
      },
      PeriodicService("look-as-client", every: .milliseconds(250), logger: logger) { _ in
        self.learn(.road, roads.look())
        self.learn(.writing, .ofWriting(locations.all))
      },
      PeriodicService("look-s3", every: .milliseconds(250), logger: logger) { _ in
        servers.lookAtStores()
      },
      PeriodicService("look-registry", every: .seconds(1), logger: logger) { _ in
        servers.lookAtUpstreams()
      },
    ]
  }
}
