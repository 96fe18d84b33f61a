import ArgumentParser
import Fill
import Gateway
import Glibc
import S3
import Settings
import Store

/// The settings of commands that serve nobody: no listening address, and no log.
struct ToolSettings {
  let location: LocationSettings
  let store: S3BlobStore
  /// By which clients know the registry, if that is said.
  let registryHosts: [String]
  let fillLimits: Filler.Limits
  let sweepAge: Duration

  var bucket: BucketClient { store.bucket }

  /// - Throws: an exit code; the mistakes are told.
  init(_ environment: [String: String]) throws {
    var reader = SettingsReader(environment)
    let location = LocationSettings(&reader)
    registryHosts = reader.value(Declared.registryHost)
    let credentials = SigningCredentials(reader.credentials())
    fillLimits = reader.fillLimits()
    sweepAge = reader.value(Declared.sweepAge)
    guard reader.problems.isEmpty, let location else {
      complain(SettingsError(problems: reader.problems), environment)
      throw ExitCode(EX_CONFIG)
    }
    self.location = location
    store = location.store(credentials, clock: credentials.clock)
    do {
      // What is told of a tool's credential goes with its result.
      try credentials.start()
    } catch {
      complain(error.problems.map { "bloblo: \($0)" })
      throw ExitCode(EX_CONFIG)
    }
  }
}
