import ArgumentParser
import Fill
import Glibc
import S3

/// The settings of commands that serve nobody: no listening address, and no log.
struct ToolSettings {
  let location: LocationSettings
  let bucket: BucketClient
  let fillLimits: Filler.Limits
  let sweepAge: Duration

  /// - Throws: an exit code; the mistakes are told.
  init(_ environment: [String: String]) throws {
    var reader = SettingsReader(environment)
    let location = LocationSettings(&reader)
    let credential = reader.credential()
    fillLimits = readFillLimits(&reader)
    sweepAge = readSweepAge(&reader)
    guard reader.problems.isEmpty, let location, let credential else {
      complain(["bloblo: these settings are wrong:"] + reader.problems.map { "  " + $0 })
      throw ExitCode(EX_CONFIG)
    }
    self.location = location
    bucket = BucketClient(
      location.bucket, signer: Signer(credential, region: location.bucket.region),
      limits: location.s3Limits)
  }
}
