package import Gateway
internal import HTTPTransport
package import Logging
internal import Primitives
internal import S3
internal import Settings
internal import Store
internal import Threading

/// Aborts multipart uploads that killed instances left behind: at the start, and once a day, in the bucket of each
/// location that requests use and that fills.
package final class Sweeper: BackgroundService {
  /// How often the sweeper looks whether a location is new or a sweep is due.
  private static let interval = Duration.seconds(2)

  /// A part of a bucket; several locations may share one.
  private struct Place: Hashable {
    let endpoint: String
    let bucket: String
    let template: ObjectKeyTemplate

    init(_ location: Location) {
      let bucket = location.settings.bucket
      endpoint = "\(bucket.endpoint)"
      self.bucket = bucket.name
      template = location.settings.keyTemplate
    }
  }

  private let locations: Locations
  private let age: Duration
  private let logger: Logger
  private let isStopped = Monitor(false)

  /// - Parameter age: how old an upload must be.
  package init(_ locations: Locations, olderThan age: Duration, _ logger: Logger) {
    self.locations = locations
    self.age = age
    self.logger = logger
  }

  package func start() {
    let thread = Thread.start("sweep") { [self] in
      var plan = SweepPlan<Place>()
      var http = HTTPClient()
      repeat {
        var places: [Place: Location] = [:]
        for location in locations.all where location.settings.fill != .off {
          places[Place(location)] = location
        }
        for place in plan.due(of: Set(places.keys), at: .now) {
          guard let location = places[place], !isStopped.withLock({ $0 }) else { continue }
          sweep(place, of: location, plan: &plan, over: &http)
        }
      } while isStopped.wait(for: Self.interval) { $0 ? true : nil } == nil
    }
    guard let thread else {
      return logger.warning(
        "cannot create a thread",
        metadata: ["thread": "sweep", "advice": "multipart uploads stay: run `bloblo sweep`"])
    }
    thread.detach()
  }

  package func stop() { isStopped.update { $0 = true } }

  private func sweep(
    _ place: Place, of location: Location, plan: inout SweepPlan<Place>, over http: inout HTTPClient
  ) {
    let chance = Double.random(in: 0...1)
    do throws(S3Error) {
      let report = try UploadSweep(location.store.bucket, place.template, olderThan: age)
        .run(over: &http, now: .now())
      let isRecovered = plan.succeeded(place, at: .now, chance: chance)
      guard report.aborted + report.failed > 0 || isRecovered else { return }
      logger.info(
        "multipart uploads swept",
        metadata: [
          "s3.bucket": "\(place.bucket)", "aborted": "\(report.aborted)",
          "failed": "\(report.failed)",
        ])
    } catch {
      guard plan.failed(place, at: .now, chance: chance) else { return }
      logger.warning(
        "listing multipart uploads failed",
        metadata: ["s3.bucket": "\(place.bucket)", "s3.error": "\(error)"])
    }
  }
}
