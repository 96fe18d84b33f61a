package import Gateway
internal import S3
internal import Settings
internal import Store
package import Telemetry

extension HealthStatus {
  /// What S3 answered to the last fills of all locations. Nothing is written to find out.
  package static func ofWriting(_ locations: [Location]) -> HealthStatus {
    for location in locations where location.settings.fill != .off {
      let bucket = location.store.bucket
      guard let refusal = bucket.site.writeRefusal else { continue }
      return .bad(
        "\(bucket.bucket.name) refuses fills: \(refusal). Cold blobs pass to the registry, or bloblo reads them without keeping them. \(S3Error.writeAdvice)"
      )
    }
    return .good("No fill was refused.")
  }
}
